"""Bytes on their way into a store and back: cut, packed, found, verified.

Nothing here knows names or versions. `ContentWriter` turns byte streams into chunks and
chunks into packs, `Locator` knows where chunks are, `ContentReader` gives them back and
trusts nothing that it has not hashed. What a pack looks like byte by byte is in
``docs/format/content.md``.
"""
