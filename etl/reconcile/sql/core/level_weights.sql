-- What each level says for or against a pair, in bits: log2(m / u). m, how often the same person
-- agrees at this level, comes from the model (doisoat train); u, how often strangers do, is
-- measured on the registers at hand. Relatives agree more often than random strangers, so where
-- ops.parameters says that there are relatives, u is at least the model's least_chance for the
-- level.
-- Kind: statistic.
with chances as (
    select
        model.comparison,
        model.level,
        model.same_person,
        greatest(found.chance, if(parameters.relatives, model.least_chance, 0)) as chance
    from ref.match_model as model
    inner join core.level_chances as found
        on model.comparison = found.comparison and model.level = found.level
    cross join ops.parameters as parameters
)

select
    comparison,
    level,
    same_person,
    chance,
    case
        when level = 'different' then least(log2(same_person / chance), 0)
        -- (An address that is nearly the same never speaks against a pair, whatever was learnt.)
        when level = 'same' or (comparison = 'address' and level = 'near')
            then greatest(log2(same_person / chance), 0)
        else log2(same_person / chance)
    end as weight
from chances
