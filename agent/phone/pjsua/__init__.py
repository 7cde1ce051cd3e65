"""pjsua2, and nothing else imports it."""
