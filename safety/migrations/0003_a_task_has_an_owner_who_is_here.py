"""Nothing is without an owner, whatever writes: a task's owner is an open staff account, and closing an account that still owns
live tasks is refused at commit. The actions move the tasks first; this is the net under them.

Both sides see each other: opening a task takes a share lock on the owner's row, which a closing of that account waits for.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION task_owner_is_here() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.done_at IS NULL THEN
    PERFORM 1 FROM accounts_user
      WHERE id = NEW.owner_id AND is_active AND role IN ('psychiatrist', 'coach', 'administrator') FOR SHARE;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'the owner of a task is somebody who works here' USING ERRCODE = 'check_violation';
    END IF;
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER a_task_has_an_owner_who_is_here
  BEFORE INSERT OR UPDATE OF owner_id, done_at ON safety_task
  FOR EACH ROW EXECUTE FUNCTION task_owner_is_here();

CREATE FUNCTION who_leaves_owes_nothing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT 1 FROM safety_task t JOIN accounts_user u ON u.id = t.owner_id
    WHERE t.owner_id = NEW.id AND t.done_at IS NULL
      AND NOT (u.is_active AND u.role IN ('psychiatrist', 'coach', 'administrator'))
  ) THEN
    RAISE EXCEPTION 'this person still owes work: hand it over first' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER who_leaves_owes_nothing
  AFTER UPDATE OF is_active, role ON accounts_user
  DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW WHEN (NOT NEW.is_active OR NEW.role NOT IN ('psychiatrist', 'coach', 'administrator'))
  EXECUTE FUNCTION who_leaves_owes_nothing();
"""
BACKWARD = """
DROP TRIGGER who_leaves_owes_nothing ON accounts_user;
DROP FUNCTION who_leaves_owes_nothing();
DROP TRIGGER a_task_has_an_owner_who_is_here ON safety_task;
DROP FUNCTION task_owner_is_here();
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial"), ("safety", "0002_tasks")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
