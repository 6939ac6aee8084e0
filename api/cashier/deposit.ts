/** Serves the page of a session for a deposit, and the form that asks for an address. */

import type { Context, Hono } from 'hono'
import { listOwnAddresses } from '../../db/cashier/list-own-addresses.js'
import { makeOnce } from '../../db/cashier/make-once.js'
import { inTransaction } from '../../db/connect.js'
import { allocateAddress } from '../../db/wallets/allocate-address.js'
import { findNetwork } from '../../domain/chain/network.js'
import { KeyturnError } from '../../domain/errors.js'
import type { ApiEnv } from '../context.js'
import { onceCompared } from '../deposits/once-compared.js'
import type { Counter } from './counter.js'
import { renderDeposit } from './deposit-page.js'
import { ADDRESSES, CASHIER_PATH } from './paths.js'
import type { Session } from './session.js'

/** Answers with the user's addresses. Looking makes none. */
export async function showDeposit(c: Context<ApiEnv>, counter: Counter, session: Session): Promise<Response> {
  const { sql } = counter.dependencies
  const view = counter.viewFor(c, session)
  const addresses = await listOwnAddresses(sql, session.merchant_id, session.user_reference)
  const chosen = { network: c.req.query('network'), coin: c.req.query('coin') }
  return c.html(renderDeposit(view, await counter.offeredTo(session), addresses, chosen))
}

/** Registers the form. */
export function registerDeposit(router: Hono<ApiEnv>, counter: Counter): void {
  const { sql, networks } = counter.dependencies

  router.post(ADDRESSES, async (c) => {
    const { session, sent } = await counter.readFormFor(c, 'deposit')
    const network = findNetwork(networks, sent.field('network'))
    const coins = await counter.offeredTo(session)
    if (!coins.some((each) => each.network === network)) {
      throw new KeyturnError('RAIL_NOT_ENABLED', `This session does not offer ${network.name}`)
    }
    await onceCompared(() =>
      inTransaction(sql, (tx) =>
        makeOnce(tx, session.id, sent.form, async () => {
          const { address } = await allocateAddress(tx, {
            merchantId: session.merchant_id,
            network,
            userReference: session.user_reference,
            label: null,
            fresh: sent.field('new') === 'true',
          })
          return address.id
        }),
      ),
    )
    const chosen = new URLSearchParams({ network: network.name, coin: sent.field('coin') })
    return c.redirect(`${CASHIER_PATH}?${chosen}`, 303)
  })
}
