/** Stores the lifecycle mapping of the shop. */

import type { Client } from '../../../client/create-client.js'

/** Stores what the states of the shop's orders ask of their payments. */
export function storeMapping(client: Client) {
  return client.reconciliation.lifecycleMapping.put({
    gates: [
      {
        gate: 'placed',
        satisfied_by: ['pending', 'paid', 'confirmed', 'expired', 'cancelled'],
        stuck_after: '1s',
      },
      { gate: 'shipped', satisfied_by: ['confirmed'], stuck_after: '1s' },
    ],
    orders: 'complete',
  })
}
