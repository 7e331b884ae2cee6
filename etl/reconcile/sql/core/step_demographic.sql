-- Step 5, demographic: name, full birth date and sex, unique on both sides.
-- For a common name in a crowd, being unique is not enough: the true citizen may stand in the
-- register with another birth date, and the one who was found may be a stranger. So the number of
-- strangers that would agree by chance is estimated (name share x births of that sex that day) and
-- must be small; it is smaller where the province agrees. What this step does not link, ties
-- included, goes on to the probabilistic step, which weighs place, address and numbers too.
-- Citizens are counted before they are compared: if more than block_limit of them share a record's
-- name and birth date, the record is not linked and gets one row that says so, without a citizen.
-- Delta: linking.
-- Kind: group.
with namesakes as (
    select
        population.name_key,
        population.birth_date,
        count(*) as citizens
    from clean.population as population
    semi join core.residue as residue
        on
            population.name_key = residue.name_key
            and population.birth_date = residue.birth_date
    group by population.name_key, population.birth_date
),

sought as (
    select
        residue.*,
        namesakes.citizens > parameters.block_limit as is_crowded
    from core.residue as residue
    inner join namesakes
        on
            residue.name_key = namesakes.name_key
            and residue.birth_date = namesakes.birth_date
    cross join ops.parameters as parameters
),

compared as (
    select
        sought.record_id,
        population.personal_id,
        sought.name_key,
        sought.birth_date,
        coalesce(population.gender, '?') as gender,
        same_key_agreement(
            sought.recorded_name, sought.full_name,
            population.recorded_name, population.full_name
        ) as name_agreement,
        'same' as birth_agreement,
        gender_agreement(sought.gender, population.gender) as gender_agreement,
        coalesce(sought.province_code = population.province_code, false) as place_agrees,
        population.province_code
    from sought
    inner join clean.population as population
        on
            sought.name_key = population.name_key
            and sought.birth_date = population.birth_date
    anti join core.decided as refused
        on
            sought.record_id = refused.record_id
            and population.personal_id = refused.personal_id
            and refused.verdict = 'not_link'
            and refused.state = 'stands'
    where not sought.is_crowded
),

agreeing as (
    select *
    from compared
    where name_agrees(name_agreement) and gender_agreement <> 'different'
),

rated as (
    select
        agreeing.*,
        births_that_day.births * surnames.share * middles.share * givens.share
        * if(agreeing.place_agrees, place_shares.share, 1) as chance_agreements
    from agreeing
    left join core.births_a_day as births_that_day
        on
            agreeing.gender = births_that_day.gender
            and agreeing.birth_date = births_that_day.birth_date
    left join core.name_shares as surnames
        on
            surnames.part = 'surname' and agreeing.gender = surnames.gender
            and split_part(agreeing.name_key, ' ', 1) = surnames.value
    left join core.name_shares as middles
        on
            middles.part = 'middle' and agreeing.gender = middles.gender
            and array_to_string(string_split(agreeing.name_key, ' ')[2:-2], ' ') = middles.value
    left join core.name_shares as givens
        on
            givens.part = 'given' and agreeing.gender = givens.gender
            and split_part(agreeing.name_key, ' ', -1) = givens.value
    left join core.place_shares as place_shares on agreeing.province_code = place_shares.province_code
),

-- Both sides: how many citizens a record finds, and how many records find a citizen.
counted as (
    select
        rated.*,
        count(*) over (partition by record_id) as citizens,
        count(*) over (partition by personal_id) as records
    from rated
),

numbered_links as (
    select population.personal_id
    from clean.population as population
    semi join rated as found on population.personal_id = found.personal_id
    semi join core.settled as settled on population.citizen = settled.citizen
    union
    select personal_id from core.step_steward
    where verdict = 'link'
    union
    select personal_id from core.step_personal_id
    where verdict = 'link'
    union
    select personal_id from core.step_former_id
    where verdict = 'link'
    union
    select personal_id from core.step_repaired_id
    where verdict = 'link'
),

-- Records whose number leads to a citizen who may be meant instead.
contested as (
    select distinct record_id
    from core.number_pairs
    where reason in ('somebody_fits_better', 'repaired_number')
),

reasoned as (
    select
        counted.*,
        case
            when citizens > 1 or contested.record_id is not null then 'several_citizens'
            when records > 1 then 'several_records'
            when numbered_links.personal_id is not null then 'citizen_already_linked'
            when
                chance_agreements is null
                or round(chance_agreements, 12) > (select chance_agreement_limit from ops.parameters)
                then 'common_name'
            else 'agrees'
        end as reason
    from counted
    left join numbered_links on counted.personal_id = numbered_links.personal_id
    left join contested on counted.record_id = contested.record_id
)

select
    record_id,
    personal_id,
    if(reason = 'agrees', 'link', 'other') as verdict,
    reason,
    name_agreement,
    birth_agreement,
    gender_agreement,
    place_agrees,
    chance_agreements
from reasoned
union all
select
    record_id,
    null as personal_id,
    'other' as verdict,
    'too_many_citizens' as reason,
    null as name_agreement,
    'same' as birth_agreement,
    null as gender_agreement,
    null as place_agrees,
    null as chance_agreements
from sought
where is_crowded
