"""Parsers: a value as a source sent it → a value of a column's SQL type.

Every parser takes whatever JSON, XML, CSV or a SQL driver hands over. It gives back None for
nothing (None, "", white space) and raises ValueError with a short reason for what it cannot read;
the reason never quotes the value. Each begins with the form that is sent most and is quick there;
the generous reading of everything else comes after it.
"""

from crm_sync_assets.declarations.parsing.moments import date as date
from crm_sync_assets.declarations.parsing.moments import interval as interval
from crm_sync_assets.declarations.parsing.moments import time as time
from crm_sync_assets.declarations.parsing.moments import timestamp as timestamp
from crm_sync_assets.declarations.parsing.nested import id_list as id_list
from crm_sync_assets.declarations.parsing.nested import json as json
from crm_sync_assets.declarations.parsing.nested import json_noting as json_noting
from crm_sync_assets.declarations.parsing.numbers import BIGINT as BIGINT
from crm_sync_assets.declarations.parsing.numbers import BOOLEANS as BOOLEANS
from crm_sync_assets.declarations.parsing.numbers import boolean as boolean
from crm_sync_assets.declarations.parsing.numbers import decimal as decimal
from crm_sync_assets.declarations.parsing.numbers import integer as integer
from crm_sync_assets.declarations.parsing.numbers import reference as reference
from crm_sync_assets.declarations.parsing.texts import MAX_DEPTH as MAX_DEPTH
from crm_sync_assets.declarations.parsing.texts import MAX_DIGITS as MAX_DIGITS
from crm_sync_assets.declarations.parsing.texts import NOT_FINITE_REMOVED as NOT_FINITE_REMOVED
from crm_sync_assets.declarations.parsing.texts import NUL_REMOVED as NUL_REMOVED
from crm_sync_assets.declarations.parsing.texts import SURROGATE_REPLACED as SURROGATE_REPLACED
from crm_sync_assets.declarations.parsing.texts import TooDeep as TooDeep
from crm_sync_assets.declarations.parsing.texts import email as email
from crm_sync_assets.declarations.parsing.texts import guid as guid
from crm_sync_assets.declarations.parsing.texts import is_clean as is_clean
from crm_sync_assets.declarations.parsing.texts import sanitise as sanitise
from crm_sync_assets.declarations.parsing.texts import text as text
