"""How large chunks and packs become. Readers need none of it."""

from dataclasses import dataclass, field

from kist.content.cut import LARGE_CUT, MEDIA_CUT, USUAL_CUT, CutParameters

_KIB, _MIB, _GIB = 1 << 10, 1 << 20, 1 << 30


@dataclass(frozen=True, slots=True)
class ContentParameters:
    """The sizes that decide how content is written; tests make them small.

    Parameters
    ----------
    inline_bytes : int
        Parts up to here stand in the manifest.
    small_bytes : int
        New chunks up to here, all together, travel in the log entry.
    whole_bytes : int
        Streams up to here are one chunk.
    large_bytes : int
        Streams that are known to be longer are cut by `large_cut`.
    usual_cut, large_cut, media_cut : CutParameters
        How streams are cut: most, very long ones, those that are compressed already.
    read_bytes : int
        How much is read from a file at once.
    pack_bytes : int
        A pack is complete when it has this size.
    packs_in_flight : int
        How many packs are written at once while the next one grows.
    run_bytes : int
        A longer run is written straight from the caller's memory, into packs of its own.
    run_pack_bytes : int
        The longest run in one pack where packs are no local files.
    block_bytes : int
        Longer blocks of an array are divided.
    loose_chunks : int
        New chunks up to this number need no index run: the log entry says where they are.
    """

    inline_bytes: int = 512
    small_bytes: int = 4 * _KIB
    whole_bytes: int = 128 * _KIB
    large_bytes: int = _GIB
    usual_cut: CutParameters = field(default=USUAL_CUT)
    large_cut: CutParameters = field(default=LARGE_CUT)
    media_cut: CutParameters = field(default=MEDIA_CUT)
    read_bytes: int = 2 * _MIB
    pack_bytes: int = 32 * _MIB
    packs_in_flight: int = 3
    run_bytes: int = 16 * _MIB
    run_pack_bytes: int = _GIB
    block_bytes: int = _GIB
    loose_chunks: int = 8


@dataclass(frozen=True, slots=True)
class ReadParameters:
    """How ranges are gathered into requests.

    Parameters
    ----------
    gap_bytes : int
        Read over gaps up to here rather than ask twice.
    group_bytes : int
        The most that is read, or produced, by one request.
    recent_bytes : int
        How much of what was read in part is kept for the next step.
    """

    gap_bytes: int
    group_bytes: int
    recent_bytes: int = 16 * _MIB


LOCAL_READ = ReadParameters(64 * _KIB, 4 * _MIB)
REMOTE_READ = ReadParameters(_MIB, 8 * _MIB)
