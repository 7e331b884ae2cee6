-- How values are written so that a target can hold them.

-- PostgreSQL's text cannot hold NUL, so its symbol replaces it: no character is lost silently.
-- (Looking for a NUL takes a sixth of the time that replacing none takes.)
create or replace temp macro printable(value) as
if(contains(value, chr(0)), replace(value, chr(0), '␀'), value);

-- A key in a form that a target can index: one of more than 191 characters is shortened to its
-- beginning and its fingerprint, so that no two become one.
create or replace temp macro published_key(value) as
if(
    length(value) <= 191, printable(value),
    left(printable(value), 158) || '~' || fingerprint(value)
);

-- The schemes of a record, with the total that every record belongs to.
create or replace temp macro schemes(compulsory, voluntary, unemployment, health) as
list_filter(
    [
        'all',
        if(compulsory, 'compulsory_si', null),
        if(voluntary, 'voluntary_si', null),
        if(unemployment, 'unemployment_insurance', null),
        if(health, 'health_insurance', null)
    ],
    lambda scheme: scheme is not null
);
