"""The last net under HZ-25: whoever holds a shift to come stays open, stays in a role that holds it, and stays licensed.

The actions pass the shifts on first (safety/actions/duty.py); this refuses whatever writes without them. A shift takes a share
lock on its person's row, which a closing of that account waits for, so that the two always see each other.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION on_call_person_is_here() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.removed_at IS NULL THEN
    PERFORM 1 FROM accounts_user
      WHERE id = NEW.person_id AND is_active AND role IN ('psychiatrist', 'coach')
        AND (NEW.level <> 1 OR role = 'psychiatrist') FOR SHARE;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'only somebody who works here, in a role of this level, is put on call'
        USING ERRCODE = 'check_violation';
    END IF;
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER on_call_person_is_here
  BEFORE INSERT OR UPDATE OF person_id, level ON safety_oncallshift
  FOR EACH ROW EXECUTE FUNCTION on_call_person_is_here();

CREATE FUNCTION nobody_leaves_while_on_call() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE n int;
BEGIN
  SELECT count(*) INTO n FROM safety_oncallshift s
    WHERE s.person_id = NEW.id AND s.removed_at IS NULL AND s.ends_at > hearthside_now()
      AND (NOT NEW.is_active OR NEW.role NOT IN ('psychiatrist', 'coach') OR (s.level = 1 AND NEW.role <> 'psychiatrist'));
  IF n > 0 THEN
    RAISE EXCEPTION 'this person is on call (% to come): name who takes over, or take the shifts off the roster first', n
      USING ERRCODE = 'check_violation', CONSTRAINT = 'nobody_leaves_while_on_call';
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER nobody_leaves_while_on_call
  AFTER UPDATE OF is_active, role ON accounts_user
  FOR EACH ROW WHEN ((OLD.is_active AND NOT NEW.is_active) OR OLD.role <> NEW.role)
  EXECUTE FUNCTION nobody_leaves_while_on_call();

CREATE FUNCTION nobody_on_call_loses_the_last_licence() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE n int;
BEGIN
  SELECT count(*) INTO n FROM safety_oncallshift s
    WHERE s.person_id = OLD.psychiatrist_id AND s.level = 1 AND s.removed_at IS NULL AND s.ends_at > hearthside_now()
      AND OLD.expires_on >= (s.ends_at AT TIME ZONE 'UTC')::date
      AND NOT EXISTS (
        SELECT 1 FROM accounts_licence l
         WHERE l.psychiatrist_id = OLD.psychiatrist_id AND l.expires_on >= (s.ends_at AT TIME ZONE 'UTC')::date);
  IF n > 0 THEN
    RAISE EXCEPTION 'this psychiatrist is first on call (% to come) beyond the licence: hand the shifts over first', n
      USING ERRCODE = 'check_violation', CONSTRAINT = 'nobody_on_call_loses_the_last_licence';
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER nobody_on_call_loses_the_last_licence
  AFTER UPDATE OF expires_on, psychiatrist_id OR DELETE ON accounts_licence
  FOR EACH ROW EXECUTE FUNCTION nobody_on_call_loses_the_last_licence();
"""
BACKWARD = """
DROP TRIGGER nobody_on_call_loses_the_last_licence ON accounts_licence;
DROP FUNCTION nobody_on_call_loses_the_last_licence();
DROP TRIGGER nobody_leaves_while_on_call ON accounts_user;
DROP FUNCTION nobody_leaves_while_on_call();
DROP TRIGGER on_call_person_is_here ON safety_oncallshift;
DROP FUNCTION on_call_person_is_here();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("common", "0002_clock_and_audit_chain"),
        ("safety", "0004_the_roster_changes_hands_and_events_are_judged"),
    ]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
