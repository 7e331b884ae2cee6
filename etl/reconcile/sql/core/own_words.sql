-- The insurance register's own word for each meaning: the spelling that stands there most often.
-- A register that has no word for it yet gets doisoat's.
-- Kind: statistic.
with spelt as (
    select
        column_name,
        value,
        first(raw order by copies desc, raw asc) as word
    from clean.vocabularies
    where register = 'insurance' and value is not null
    group by column_name, value
),

forms as (
    select
        date_form(date_of_birth) as form,
        count(*) as copies
    from raw.insurance
    group by form
)

select
    column_name,
    value,
    word
from spelt
union all
select
    'date_of_birth' as column_name,
    'form' as value,
    first(form order by copies desc, form asc) as word
from forms
where form is not null
