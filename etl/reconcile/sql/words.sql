-- How a value is written where a register's own way of writing is known.

-- The form of a full date, as a register writes it; null where it is none of these.
create or replace temp macro date_form(text) as
case
    when text glob '[0-9]*/[0-9]*/[0-9][0-9][0-9][0-9]' then 'dd/mm/yyyy'
    when text glob '[0-9]*-[0-9]*-[0-9][0-9][0-9][0-9]' then 'dd-mm-yyyy'
    when text glob '[0-9]*.[0-9]*.[0-9][0-9][0-9][0-9]' then 'dd.mm.yyyy'
    when text glob '[0-9][0-9][0-9][0-9]-[0-9]*-[0-9]*' then 'yyyy-mm-dd'
    when text glob '[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]' then 'yyyymmdd'
end;

create or replace temp macro date_written(birth_date, form) as
case form
    when 'dd/mm/yyyy' then strftime(birth_date, '%d/%m/%Y')
    when 'dd-mm-yyyy' then strftime(birth_date, '%d-%m-%Y')
    when 'dd.mm.yyyy' then strftime(birth_date, '%d.%m.%Y')
    when 'yyyymmdd' then strftime(birth_date, '%Y%m%d')
    else strftime(birth_date, '%Y-%m-%d')
end;

-- The name, in capitals if the recorded name is in capitals.
create or replace temp macro name_written(name, recorded) as
if(recorded = upper(recorded) and recorded <> lower(recorded), upper(name), name);
