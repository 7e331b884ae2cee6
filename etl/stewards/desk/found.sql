-- What a record can be found by: its pseudonym, its own numbers, the number of its citizen, name
-- and birth date. Only hashes of the values are kept, sorted, so that a search reads a few rows.
-- The record's province is kept, too, so that an office finds its own among thousands of records
-- that share a number.
with named as (
    select
        record_id,
        unnest([
            'number:' || insurance_number,
            'number:' || insurance_personal_id,
            'number:' || id_number,
            'number:' || card_insurance_number,
            'person:' || name_key || ':' || birth_date::varchar,
            'person:' || name_key || ':' || birth_year::varchar
        ]) as what
    from clean.insurance
    union
    select
        record_id,
        'number:' || personal_id as what
    from core.links
    union
    select
        record_id,
        'number:' || personal_id as what
    from core.candidates
    union
    select
        record_id,
        'key:' || record_key(record_id) as what
    from core.reconciled
)

select
    hash(named.what) as place,
    named.record_id,
    verdicts.province_code
from named
inner join core.reconciled as verdicts on named.record_id = verdicts.record_id
where named.what is not null
order by place
