-- Former numbers that more than block_limit citizens list: made-up numbers that fill a form.
-- A number that a crowd lists identifies nobody.
-- Kind: statistic.
select
    former_number as number,
    count(*) as holders
from clean.former_numbers
group by former_number
having count(*) > (select block_limit from ops.parameters)
