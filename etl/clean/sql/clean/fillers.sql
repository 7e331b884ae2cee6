-- Former numbers that more citizens list than block_limit: what a form was filled with, and nobody's.
-- A number that a crowd lists identifies nobody.
-- Kind: statistic.
select
    former_number as number,
    count(*) as holders
from clean.former_numbers
group by former_number
having count(*) > (select block_limit from ops.parameters)
