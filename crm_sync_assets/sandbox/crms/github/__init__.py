"""GitHub, as far as a repository with one file goes."""

from crm_sync_assets.sandbox.crm import Entry, Option
from crm_sync_assets.sandbox.crms.github.crm import GitHub
from crm_sync_assets.sandbox.crms.github.knobs import GitHubKnobs

CRM = Entry("github", GitHub, knobs=GitHubKnobs, options=(Option("zipcodes", 400),))
