# ruff: noqa: D102, S108 - the names of tests say what they test; /tmp is a key here
"""Cases of the conformance suite: no two keys meet, and all are listed."""

from datetime import UTC, datetime, timedelta

from kist.model.key import ROOT, Key
from kist.store.base import Capability
from kist.testing.store_hooks import StoreHooks


class KeyCases(StoreHooks):
    """Keys, delete, stat."""

    def test_no_two_keys_meet(self) -> None:
        with self.opened() as store:
            for text in self.keys:
                store.put(Key(text), text.encode())
            for text in self.keys:
                assert store.get(Key(text)) == text.encode(), text
                assert store.stat(Key(text)).size_bytes == len(text.encode()), text
            for text in self.keys[::2]:
                store.delete(Key(text))
            for text in self.keys[::2]:
                assert Key(text) not in store, text
            for text in self.keys[1::2]:
                assert store.get(Key(text)) == text.encode(), text

    def test_all_keys_are_listed_as_they_are(self) -> None:
        with self.opened(Capability.LIST) as store:
            for text in self.keys:
                store.put(Key(text), text.encode())
            listed = [str(stat.key) for stat in store.iter_stats()]
            assert sorted(listed) == sorted(self.keys)
            if Capability.ORDERED_LIST in store.capabilities:
                assert listed == sorted(self.keys)
            children = {str(Key(text).segments[0]) for text in self.keys}
            assert sorted(key.last for key in store.iter_children()) == sorted(children)

    def test_a_key_and_a_key_below_it_both_hold_bytes(self) -> None:
        texts = ["/a", "/a/b", "/a/b/c", "/log", "/log/0", "/log/0/0", "/tmp", "/tmp/a"]
        for order in (texts, texts[::-1]):
            with self.opened() as store:
                for text in order:
                    store.put(Key(text), text.encode())
                for text in order:
                    assert store.get(Key(text)) == text.encode()
                store.delete(Key("/a"))
                assert store.get(Key("/a/b")) == b"/a/b"
                store.put(Key("/a"), b"again")
                store.delete([Key("/a/b"), Key("/a/b/c")])
                assert store.get(Key("/a")) == b"again"

    def test_delete_is_idempotent_and_takes_one_key_or_many(self) -> None:
        with self.opened() as store:
            texts = ["/a", "/b/c", "/b/d", "/e"]
            for text in texts:
                store.put(Key(text), b"x")
            store.delete(Key("/a"))
            store.delete(Key("/a"))
            store.delete([])
            store.delete(Key(text) for text in ["/b/c", "/not/there", "/b/c"])
            assert [Key(text) in store for text in texts] == [False, False, True, True]
            store.delete(Key("/b"))
            assert Key("/b/d") in store, "a key is deleted, not what is below it"
            store.delete([Key("/b/d"), Key("/e")])
            self.check_only(store)
            self.check_no_rubbish(store)

    def test_stat_tells_key_size_and_time(self) -> None:
        with self.opened() as store:
            before = datetime.now(UTC) - timedelta(minutes=10)
            store.put(Key("/a"), b"12345")
            for stat in (store.stat(Key("/a")), store.find_stat(Key("/a"))):
                assert stat is not None
                assert (stat.key, stat.size_bytes, stat.expires) == (Key("/a"), 5, None)
                if stat.modified is not None:
                    # Also a server's clock is not that wrong.
                    assert before < stat.modified < before + timedelta(minutes=20)
            assert Key("/a") in store


class ListCases(StoreHooks):
    """Listing."""

    def test_a_prefix_means_whole_segments_below_it(self) -> None:
        texts = ["/a", "/a!", "/a/b", "/a/b/c", "/a/d", "/ab", "/ab/c", "/b"]
        with self.opened(Capability.LIST) as store:
            for text in texts:
                store.put(Key(text), text.encode())
            below = {"/": texts, "/a": ["/a/b", "/a/b/c", "/a/d"], "/a/b": ["/a/b/c"]}
            below |= {"/a/b/c": [], "/none": [], "/none/at/all": []}
            for prefix, expected in below.items():
                stats = list(store.iter_stats(Key(prefix)))
                assert sorted(str(stat.key) for stat in stats) == expected
                assert all(stat.size_bytes == len(str(stat.key)) for stat in stats)
            level = [str(stat.key) for stat in store.iter_stats(recursive=False)]
            assert sorted(level) == ["/a", "/a!", "/ab", "/b"]
            level = [str(stat.key) for stat in store.iter_stats(Key("/a"), recursive=False)]
            assert sorted(level) == ["/a/b", "/a/d"]

    def test_start_after_leaves_out_what_comes_before(self) -> None:
        texts = sorted(["/a", "/a!", "/a/b", "/a/b/c", "/a/d", "/ab", "/ab/c", "/b", "/a/b!"])
        with self.opened(Capability.LIST) as store:
            for text in texts:
                store.put(Key(text), b"x")
            for after in [*texts, "/", "/a/", "/a/b/a", "/a/c", "/zz", "/a/b/c/d", "/0"]:
                for prefix in (ROOT, Key("/a")):
                    stats = store.iter_stats(prefix, start_after=Key(after))
                    expected = [
                        text
                        for text in texts
                        if text > str(Key(after)) and prefix.is_ancestor_of(Key(text))
                    ]
                    assert sorted(str(stat.key) for stat in stats) == expected, (prefix, after)
                stats = store.iter_stats(start_after=Key(after), recursive=False)
                expected = [
                    text for text in texts if text > str(Key(after)) and text.count("/") == 1
                ]
                assert sorted(str(stat.key) for stat in stats) == expected, after

    def test_long_listings_are_complete_and_ordered(self) -> None:
        texts = sorted(f"/d/{number}" for number in range(self.many))
        with self.opened(Capability.LIST) as store:
            for text in texts:
                store.put(Key(text), b"")
            listed = [str(stat.key) for stat in store.iter_stats(Key("/d"))]
            assert sorted(listed) == texts
            if Capability.ORDERED_LIST in store.capabilities:
                assert listed == texts
            middle = texts[len(texts) // 2]
            rest = [str(stat.key) for stat in store.iter_stats(start_after=Key(middle))]
            assert sorted(rest) == texts[len(texts) // 2 + 1 :]

    def test_children_are_listed_once_each(self) -> None:
        with self.opened(Capability.LIST) as store:
            for text in ["/a", "/a/b", "/a/c/d", "/a/c/e", "/b!", "/b/x/y/z"]:
                store.put(Key(text), b"x")
            assert sorted(map(str, store.iter_children())) == ["/a", "/b", "/b!"]
            assert sorted(map(str, store.iter_children(Key("/a")))) == ["/a/b", "/a/c"]
            assert list(store.iter_children(Key("/b/x"))) == [Key("/b/x/y")]
            assert list(store.iter_children(Key("/none"))) == []
            store.delete([Key("/a/c/d"), Key("/a/c/e")])
            assert list(store.iter_children(Key("/a"))) == [Key("/a/b")]

    def test_what_stays_is_listed_once_while_others_come_and_go(self) -> None:
        stay = {f"/{letter}/{number}" for letter in "aceg" for number in range(5)}
        with self.opened(Capability.LIST) as store:
            for text in stay | {"/b/x", "/d/x", "/f/x"}:
                store.put(Key(text), b"x")
            seen = []
            for number, stat in enumerate(store.iter_stats()):
                seen.append(str(stat.key))
                store.put(Key(f"/new/{number}"), b"x")
                store.put(Key(f"/a/9{number}"), b"x")
                store.delete([Key("/b/x"), Key("/d/x"), Key("/f/x")])
            assert len(seen) == len(set(seen))
            assert stay <= set(seen)
