-- What an engine needs to build a large table piece by piece.

-- Says whether a key belongs to the piece that is being built. An engine that builds a table in one
-- piece uses this definition; one that builds it in several replaces the macro for each piece.
create or replace temp macro in_slice(key) as
key is not null;
