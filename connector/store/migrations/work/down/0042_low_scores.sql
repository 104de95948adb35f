-- Nothing is lost: an older Kiitos does not ask who waits.
DROP INDEX care_holds_waiting;
