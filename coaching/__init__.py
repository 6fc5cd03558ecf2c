"""The coach's part of the course: calls before and after each session, the patient's half-minute check-in each day, the caseload."""
