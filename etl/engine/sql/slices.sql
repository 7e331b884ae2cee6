-- What an engine needs to build a large table piece by piece.

-- Says whether a key belongs to the piece that is being built. An engine that builds in one piece
-- leaves it as it is here; one that builds in several gives each piece its own words.
create or replace temp macro in_slice(key) as
key is not null;
