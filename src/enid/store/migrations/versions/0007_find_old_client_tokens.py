"""find old client tokens."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("client_tokens") as batch_op:
        batch_op.create_index(batch_op.f("ix_client_tokens_created_at"), ["created_at"])


def downgrade() -> None:
    with op.batch_alter_table("client_tokens") as batch_op:
        batch_op.drop_index(batch_op.f("ix_client_tokens_created_at"))
