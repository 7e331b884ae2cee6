-- The clean tables as Splink needs them: the same columns for both sides. Run for each side, with
-- the values of {key}, {numbers} and {number}.
select
    {key} as unique_id,
    full_name,
    name_key,
    split_part(name_key, ' ', 1) as surname_key,
    split_part(name_key, ' ', -1) as given_key,
    birth_date::varchar as birth_date,
    birth_year,
    strftime(birth_date, '%m-%d') as birth_day,
    gender,
    province_code,
    {number} as number,
    nullif(list_sort(list_distinct({numbers})), []) as numbers
from {table}
