import time,sys,types
sys.path.insert(0,'/work/main')
import pytest
from tests.stateful.test_collection import *
@pytest.mark.parametrize("name",SCENARIOS)
def test_t(name, scale):
    play=Play(SCENARIOS[name]); t=time.time(); n=0; L=[]
    for steps in iter_schedules(play,interruptions=int(2)):
        n+=1; L.append(len(steps))
        if time.time()-t>20: break
    print(name,n,max(L),round(time.time()-t,2),round((time.time()-t)/n*1000,2))
    by={}
