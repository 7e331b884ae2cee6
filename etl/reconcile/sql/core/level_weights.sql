-- What each level says for or against a pair, in bits: log2(m / u). m, how often the same person
-- agrees at this level, is the model's (doisoat train); u, how often strangers do, is that of the
-- registers at hand. Relatives are no random strangers: the model gives the least u that a level
-- may have.
select
    model.comparison,
    model.level,
    model.same_person,
    greatest(chances.chance, model.least_chance) as chance,
    case
        when model.level = 'different'
            then least(log2(model.same_person / greatest(chances.chance, model.least_chance)), 0)
        when model.level = 'same'
            then greatest(log2(model.same_person / greatest(chances.chance, model.least_chance)), 0)
        else log2(model.same_person / greatest(chances.chance, model.least_chance))
    end as weight
from ref.match_model as model
inner join core.level_chances as chances
    on model.comparison = chances.comparison and model.level = chances.level
