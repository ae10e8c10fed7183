"""Public data, counter-offers, approval."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "approval",
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("peer", sa.String(), nullable=False),
        sa.Column("when", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("dataset", "peer"),
    )
    with op.batch_alter_table("agreement", schema=None) as batch_op:
        batch_op.alter_column("study", existing_type=sa.VARCHAR(), nullable=True)
        batch_op.alter_column("permit", existing_type=sa.VARCHAR(), nullable=True)

    with op.batch_alter_table("dataset", schema=None) as batch_op:
        batch_op.add_column(sa.Column("content", sa.JSON(), nullable=True))

    with op.batch_alter_table("grants", schema=None) as batch_op:
        batch_op.alter_column("study", existing_type=sa.VARCHAR(), nullable=True)

    with op.batch_alter_table("negotiation", schema=None) as batch_op:
        batch_op.add_column(sa.Column("waits", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("before", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("reason", sa.String(), nullable=True))
        batch_op.alter_column("consumer_pid", existing_type=sa.VARCHAR(), nullable=True)

    with op.batch_alter_table("transfer", schema=None) as batch_op:
        batch_op.add_column(sa.Column("waits", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("source", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("target", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("token", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("fetched", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("reason", sa.String(), nullable=True))
        batch_op.alter_column("study", existing_type=sa.VARCHAR(), nullable=True)
        batch_op.alter_column("zone", existing_type=sa.VARCHAR(), nullable=True)
        batch_op.create_index(batch_op.f("ix_transfer_token"), ["token"], unique=False)
