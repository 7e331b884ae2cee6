-- Each record that reaches the probabilistic step: its best citizen's probability, and the truth.
-- Reads core of the warehouse, and the simulator's table truth.
with best as (
    select
        record_id,
        arg_max(personal_id, match_probability) as personal_id,
        max(match_probability) as match_probability
    from core.near_scores
    group by record_id
)

select
    reaching.record_id,
    best.match_probability,
    coalesce(best.personal_id = truth.personal_id, false) as is_right,
    truth.personal_id is not null as has_citizen,
    links.record_id is not null as is_linked,
    coalesce(links.personal_id = truth.personal_id, false) as is_linked_right
from core.near_records as reaching
inner join truth on reaching.record_id = truth.record_id
left join best on reaching.record_id = best.record_id
left join core.links as links
    on reaching.record_id = links.record_id and links.match_step = 'probabilistic'
