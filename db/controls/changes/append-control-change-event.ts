/** Notifies the merchant of a new state of a control change. */

import type { ControlChangeKind, ControlChangeState } from '../../../domain/controls/control-change.js'
import { WHITELIST_STATUS } from '../../../domain/controls/whitelist-status.js'
import type { PolicyStatusChanged, WhitelistStatusChanged } from '../../../wire/event.js'
import type { Transaction } from '../../connect.js'
import { appendEvent } from '../../events/log/append-event.js'
import { listPolicyChanges, toPolicyChangeView } from '../policy/policy-change-view.js'
import { listWhitelistEntries, toWhitelistView } from '../whitelist/list-whitelist-entries.js'

interface ChangedControl {
  readonly id: string
  readonly merchant_id: string
  readonly kind: ControlChangeKind
}

const ONE = { before: null, offset: 0, take: 1 }

/**
 * Appends `policy.status_changed` or `whitelist.status_changed` with the present change. A release appends
 * none, because the deposit has its own events; a resolution, a period and a resumption have none.
 *
 * @param previous - State before the change of state. `null` for a new change.
 */
export async function appendControlChangeEvent(
  tx: Transaction,
  change: ChangedControl,
  previous: ControlChangeState | null,
): Promise<void> {
  const { id, merchant_id: merchantId } = change
  if (change.kind !== 'policy' && change.kind !== 'whitelist') return
  if (change.kind === 'policy') {
    const [row] = await listPolicyChanges(tx, merchantId, ONE, id)
    if (!row) throw new Error(`Change ${id} does not exist`)
    const data: PolicyStatusChanged = {
      ...toPolicyChangeView(row),
      status: row.state,
      previous_status: previous,
    }
    await appendEvent(tx, { merchantId, type: 'policy.status_changed', subject: id, data })
    return
  }
  const [row] = await listWhitelistEntries(tx, merchantId, { id }, ONE)
  if (!row) throw new Error(`Whitelist entry ${id} does not exist`)
  const previous_status = previous === null ? null : WHITELIST_STATUS[previous]
  const data: WhitelistStatusChanged = { ...toWhitelistView(row), previous_status }
  await appendEvent(tx, { merchantId, type: 'whitelist.status_changed', subject: id, data })
}
