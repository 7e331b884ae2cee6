-- The links between records and citizens, each by the first step that made it: one row per linked
-- record. A link that a person's decision forbids is not here but in core.held_back.
-- Delta: linked.
-- Kind: record.
select
    settled.record,
    settled.citizen,
    insurance.record_id,
    insurance.id_number as personal_id,
    'personal_id' as match_step,
    settled.name_agreement,
    'same' as birth_agreement,
    'same' as gender_agreement,
    null::double as match_probability
from core.settled as settled
inner join clean.insurance as insurance on settled.record = insurance.record
union all
select
    insurance.record,
    population.citizen,
    linkable.*
from core.linkable as linkable
inner join clean.insurance as insurance on linkable.record_id = insurance.record_id
inner join clean.population as population on linkable.personal_id = population.personal_id
anti join core.held_back as held_back on linkable.record_id = held_back.record_id
