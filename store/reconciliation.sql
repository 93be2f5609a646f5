-- The license position of each paid software model: rights owned beside subscriptions in use, with their money.
--
-- Runs inside the transaction that ends the run, or alone in psql:
--     BEGIN; SET LOCAL seatkeeper.run = '…'; SET LOCAL seatkeeper.now = '…'; \i store/reconciliation.sql
-- Rights owned are those of the entitlements that are in force on the day of the run, in the profile's time zone.
-- Money is the number of rights times the average price for a right. It is divided last and rounded once: a quotient
-- that was cut before it is multiplied can lose half a cent.

WITH run_now AS (
    SELECT r.id AS run_id, r.profile_id, p.currency, current_setting('seatkeeper.now')::timestamptz AS at,
           (current_setting('seatkeeper.now')::timestamptz AT TIME ZONE p.time_zone)::date AS today
      FROM run r JOIN profile p ON p.id = r.profile_id WHERE r.id = current_setting('seatkeeper.run')::uuid
), rights AS (
    SELECT e.software_model, sum(e.quantity) AS owned, sum(e.quantity * e.unit_cost) AS cost
      FROM entitlement e JOIN run_now r ON r.profile_id = e.profile_id
     WHERE e.starts_on <= r.today AND (e.ends_on IS NULL OR e.ends_on >= r.today)
     GROUP BY e.software_model
), uses AS (
    SELECT s.software_model, count(*) AS used
      FROM subscription s JOIN run_now r ON r.profile_id = s.profile_id
     WHERE s.state = 'active'
     GROUP BY s.software_model
), savings AS (
    SELECT s.software_model, count(*) AS reclaimable
      FROM candidate c
      JOIN run_now r ON r.profile_id = c.profile_id
      JOIN subscription s ON s.profile_id = c.profile_id AND s.id = c.subscription_id
     WHERE s.state = 'active' AND c.state IN ('ready', 'awaiting_user', 'awaiting_approval', 'awaiting_revocation')
     GROUP BY s.software_model
), figures AS (
    SELECT r.*, m.key, coalesce(o.owned, 0)::integer AS owned, coalesce(u.used, 0)::integer AS used,
           coalesce(o.cost, 0) AS cost, coalesce(o.owned, 1) AS rights, coalesce(v.reclaimable, 0) AS reclaimable
      FROM run_now r
      JOIN software_model m ON m.profile_id = r.profile_id AND m.is_paid
      LEFT JOIN rights o ON o.software_model = m.key
      LEFT JOIN uses u ON u.software_model = m.key
      LEFT JOIN savings v ON v.software_model = m.key
)
INSERT INTO reconciliation_result (run_id, profile_id, software_model, as_of, owned, used, available, needed,
                                   average_unit_cost, true_up_cost, over_licensed_amount, potential_savings, currency,
                                   compliant)
SELECT run_id, profile_id, key, at, owned, used, greatest(owned - used, 0), greatest(used - owned, 0),
       round(cost / rights, 4), round(greatest(used - owned, 0) * cost / rights, 2),
       round(greatest(owned - used, 0) * cost / rights, 2), round(reclaimable * cost / rights, 2), currency, used <= owned
  FROM figures;
