/** Revokes a control change. One person may do it at once, because it never loosens anything. */

import type { ControlChangeKind } from '../../../domain/controls/control-change.js'
import { OPEN_CONTROL_CHANGES } from '../../../domain/controls/control-change.js'
import { KeyturnError } from '../../../domain/errors.js'
import type { Transaction } from '../../connect.js'
import { type ControlChangeRow, lockControlChange } from './control-change-row.js'
import { findControlChange } from './find-control-change.js'
import { moveControlChange } from './move-control-change.js'

/**
 * Revokes a whitelist entry, or a policy change that is not fully in effect. Fields that are in effect stay.
 *
 * @throws KeyturnError `NOT_FOUND`, `INVALID_STATE`.
 */
export async function revokeControlChange(
  tx: Transaction,
  kind: ControlChangeKind,
  request: { readonly merchantId: string; readonly id: string; readonly actor: string },
): Promise<ControlChangeRow> {
  await findControlChange(tx, kind, request.merchantId, request.id)
  const row = await lockControlChange(tx, request.id)
  const open = OPEN_CONTROL_CHANGES[row.state]
  if (!open && !(kind === 'whitelist' && row.state === 'effective')) {
    throw new KeyturnError(
      'INVALID_STATE',
      kind === 'policy' && row.state === 'effective'
        ? 'This change is already in effect. Request another change to undo it'
        : `This is already ${row.state}`,
      { details: { id: row.id, state: row.state } },
    )
  }
  await moveControlChange(tx, row, { to: 'revoked', at: new Date(), actor: request.actor })
  return row
}
