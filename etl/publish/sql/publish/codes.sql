-- What every code of the target says, in both languages.
-- Kind: total.
with leaving as (
    select
        labels.code,
        labels.kind,
        labels.vi,
        labels.en,
        mismatch_codes.severity,
        mismatch_codes.owner
    from ref.labels as labels
    left join ref.mismatch_codes as mismatch_codes
        on labels.kind = 'mismatch' and labels.code = mismatch_codes.code
)

select
    leaving.*,
    md5(to_json(leaving)::varchar) as row_hash
from leaving
