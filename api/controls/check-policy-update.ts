/** Checks an update of the policy beyond its schema: coins exist, and no coin is named twice. */

import type { z } from 'zod'
import { findCoin, findNetwork, type Networks } from '../../domain/chain/network.js'
import { plainAmount } from '../../domain/controls/policy-change.js'
import { KeyturnError } from '../../domain/errors.js'
import type { PolicyUpdate } from '../../wire/policy.js'

/**
 * Checks the coins of an update. A limit on a misspelled coin would limit nothing, and two rows for one coin
 * would contradict each other.
 *
 * @throws KeyturnError `UNSUPPORTED_NETWORK`, `UNSUPPORTED_COIN` or `VALIDATION_FAILED`.
 */
export function checkPolicyUpdate(networks: Networks, body: z.output<typeof PolicyUpdate>): void {
  const lists = {
    'limits.merchant': body.limits?.merchant,
    'limits.user': body.limits?.user,
    'multisig_config.threshold_amounts': body.multisig_config?.threshold_amounts,
    'payments.tolerance_absolute': body.payments?.tolerance_absolute,
  }
  for (const rows of [...Object.values(lists), body.confirmation_tiers]) {
    for (const row of rows ?? []) findCoin(findNetwork(networks, row.network), row.coin)
  }
  for (const [path, rows] of Object.entries(lists)) {
    requireOnce(
      path,
      'names a coin twice',
      rows?.map(({ network, coin }) => `${network}.${coin}`),
    )
  }
  requireOnce(
    'confirmation_tiers',
    'names an amount of a coin twice',
    body.confirmation_tiers?.map(({ network, coin, from }) => `${network}.${coin}.${plainAmount(from)}`),
  )
}

function requireOnce(path: string, reason: string, keys: readonly string[] = []): void {
  if (new Set(keys).size === keys.length) return
  throw new KeyturnError('VALIDATION_FAILED', `${path} ${reason}`, {
    details: { in: 'body', fields: [{ path, reason }] },
  })
}
