"""Contacts: the one database of a domain, on which its dialing lists are views.

A contact is known by its contactID: two may share a telephone number, and one may have none. In
which lists it is cannot be read; `last_list` is the one that dialed it last. Columns are called as
the fields are, with `_` for blanks and dashes; what else a domain has made is in `extra`.
"""

from __future__ import annotations

from datetime import timedelta

from crm_sync_assets.crms.five9.sources import CHANGED, ID, Contacts
from crm_sync_assets.declarations.columns import (
    boolean,
    date,
    decimal,
    each,
    email,
    phone,
    rest,
    state,
    text,
    timestamp,
    zip_code,
)
from crm_sync_assets.declarations.entity import Entity, Resweep

DISPOSITION = "Last Agent Disposition"

CONTACTS = Entity(
    "five9.contacts",
    about="People in the domain's contact database, and what came of calling them.",
    source=Contacts(),
    table="five9_contact",
    columns=(
        text(ID, key=True),
        text("list_name", at="last_list", default="", about="the list that dialed last, or none"),
        *each(phone, "number1 number2 number3"),
        *each(text, "first_name last_name company street", sensitive=True),
        text("city"),
        state("state"),
        zip_code("zip"),
        email("email"),
        timestamp("sys_created_date"),
        *each(text, "sys_last_agent sys_last_disposition"),
        timestamp("sys_last_disposition_time"),
        *each(text, "last_campaign attempts last_list"),
        decimal("DialAttempts"),
        boolean("DoNotDial"),
        *each(decimal, "lead_prioritization metal_count"),
        *each(text, "lead_source XCounter F9_list ggg Market HubSpot_ContactID Result Product"),
        *each(text, "Carrier TFUID Position"),
        text("Lead_Status", at="Lead Status"),
        text("Secondary_Lead_Source", at="Secondary Lead Source"),
        decimal("Total_Job_Amount", at="Total Job Amount"),
        date("PC_Work_Finished", at="PC Work Finished"),
        date("Appointment_Date", at="Appointment Date"),
        timestamp("Appointment_Date_and_Time", at="Appointment Date and Time"),
        text("Last_Agent_Disposition", at=DISPOSITION),
        timestamp("Last_Agent_Disposition_Date_Time", at=f"{DISPOSITION} Date-Time"),
        timestamp("New_Contact_Field", at="New Contact Field"),
        phone("f65d759a_2250_4b2d_89a9_60796f624f72", at="f65d759a-2250-4b2d-89a9-60796f624f72"),
        timestamp(
            "field_4f347541_7c4d_4812_9190_e8dea6c0eb49", at="4f347541-7c4d-4812-9190-e8dea6c0eb49"
        ),
        text(
            "field_80cf8462_cc10_41b8_a68a_5898cdba1e11", at="80cf8462-cc10-41b8-a68a-5898cdba1e11"
        ),
        timestamp(
            "modified_at", at=CHANGED, about="of the field that the domain maps to the last change"
        ),
        rest("extra", sensitive=True),
    ),
    indexes=("number1", "email", "list_name", "modified_at"),
    # The domain's clock is put back by an hour once a year.
    clock_steps_back=timedelta(hours=1),
    # Only a read of everything shows who is gone, and a delta only what has moved that field.
    resweeps=(Resweep("weekly"),),
)
