-- The numbers by which a record that is not settled claims to be a citizen: one row per record, field
-- and number.
-- Since 1/8/2025 the personal number may stand in the insurance number's column, so a record can
-- make two claims, and each is judged by itself. On its own, a repaired claim counts only with full
-- agreement of name, birth and sex. A former number that more than block_limit citizens list is a
-- filler: it leads to nobody, and casts doubt on the record that carries it.
-- Delta: linking.
-- Kind: record.
with unsettled as (
    select
        insurance.record_id,
        insurance.id_number,
        insurance.id_repairs,
        insurance.id_candidates,
        insurance.insurance_personal_id,
        insurance.insurance_number_repairs
    from clean.insurance as insurance
    anti join core.settled as settled on insurance.record = settled.record
),

typed as (
    select
        record_id,
        id_number as number,
        'id_number' as field,
        -- Separators are only a way of writing; a lost zero or a letter is a repair.
        regexp_matches(id_repairs, 'zero|letter') as is_repaired,
        false as is_candidate
    from unsettled
    where id_number is not null
    union all
    select
        record_id,
        insurance_personal_id as number,
        'insurance_number' as field,
        regexp_matches(insurance_number_repairs, 'zero|letter') as is_repaired,
        false as is_candidate
    from unsettled
    where insurance_personal_id is not null
    union all
    select
        record_id,
        unnest(string_split(id_candidates, ';')) as number,
        'id_number' as field,
        true as is_repaired,
        true as is_candidate
    from unsettled
    where id_candidates <> ''
)

select
    typed.record_id,
    typed.field,
    typed.number,
    bool_and(typed.is_repaired) as is_repaired,
    bool_and(typed.is_candidate) as is_candidate,
    any_value(fillers.number) is not null as is_filler
from typed
left join clean.fillers as fillers on typed.number = fillers.number
group by typed.record_id, typed.field, typed.number
