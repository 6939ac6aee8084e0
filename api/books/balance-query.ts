/** Reads the query of balances and totals: whose they are, and as of which block. */

import type { BalanceScope } from '../../db/books/balances/balance-scope.js'
import type { Sql } from '../../db/connect.js'
import { readCursor } from '../../db/networks/chain-cursor.js'
import { getAddress } from '../../db/wallets/get-address.js'
import { findNetwork, type Networks } from '../../domain/chain/network.js'
import { KeyturnError } from '../../domain/errors.js'
import { notFound } from '../http/not-found.js'

interface ScopeQuery {
  readonly user_reference?: string | undefined
  readonly address_id?: string | undefined
  readonly account?: 'merchant' | undefined
  readonly network?: string | undefined
  readonly coin?: string | undefined
}

interface BlockQuery {
  readonly as_of?: Date | undefined
  readonly as_of_block?: number | undefined
  readonly network?: string | undefined
}

/** Returns whose balances the query asks for. @throws KeyturnError `VALIDATION_FAILED`, `NOT_FOUND` (the address). */
export async function readScope(sql: Sql, merchantId: string, query: ScopeQuery): Promise<BalanceScope> {
  const { user_reference, address_id, account, network, coin } = query
  if (account !== undefined && (user_reference !== undefined || address_id !== undefined)) {
    throw invalid('account', 'excludes user_reference and address_id')
  }
  if (address_id !== undefined && !(await getAddress(sql, merchantId, address_id))) {
    throw notFound('address', address_id)
  }
  return {
    merchantId,
    ...(user_reference === undefined ? {} : { userReference: user_reference }),
    ...(address_id === undefined ? {} : { addressId: address_id }),
    ...(account === undefined ? {} : { ownAccount: true }),
    ...(network === undefined ? {} : { network }),
    ...(coin === undefined ? {} : { coin }),
  }
}

/** Requires that `as_of_block` can be answered. @throws KeyturnError `VALIDATION_FAILED`, `BLOCK_NOT_SCANNED`. */
export async function requireScanned(
  sql: Sql,
  networks: Networks,
  { as_of, as_of_block, network }: BlockQuery,
): Promise<void> {
  if (as_of !== undefined) throw invalid('as_of_block', 'excludes as_of')
  if (network === undefined) throw invalid('network', 'is needed with as_of_block')
  const cursor = await readCursor(sql, findNetwork(networks, network).name)
  if (cursor !== null && (as_of_block ?? 0) <= cursor.height) return
  throw new KeyturnError(
    'BLOCK_NOT_SCANNED',
    cursor === null
      ? `${network} has not been scanned yet; ask again later`
      : `${network} is scanned up to block ${cursor.height}; ask for that one, or wait`,
    { details: { network, as_of_block, scanned_height: cursor?.height ?? null } },
  )
}

/** Creates the error of a field of the query. */
export function invalid(path: string, reason: string): KeyturnError {
  return new KeyturnError('VALIDATION_FAILED', `${path}: ${reason}`, {
    details: { in: 'query', fields: [{ path, reason }] },
  })
}
