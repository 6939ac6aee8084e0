/** Watches a merchant's addresses on the chain of the lab. */

import { advanceChain } from '../../../activities/chain/advance-chain.js'
import type { Sql } from '../../../db/connect.js'
import { confirmDeposit } from '../../../db/deposits/confirm-deposit.js'
import { creditDeposit } from '../../../db/deposits/credit-deposit.js'
import { merchantWith, type TestAddress, type TestMerchant } from '../../stage/deposit-steps.js'
import { freshDatabase } from '../../support/database.js'
import { type Lab, startLab } from './lab.js'

export interface MerchantLab {
  readonly sql: Sql
  readonly lab: Lab
  readonly merchant: TestMerchant
  /** Issues an address whose text is its payee, as the chain knows it. */
  issue(user: string | null, kind?: string): Promise<TestAddress & { readonly address: `0x${string}` }>
  /** Mines blocks, scans them, and credits the deposits that are confirmed. */
  mineAndCredit(blocks: number): Promise<void>
  /** Returns what `exception.raised` events say, oldest first. */
  exceptions(
    where: { readonly subject: string } | { readonly network: string },
  ): Promise<Record<string, unknown>[]>
  close(): Promise<void>
}

/** Starts the lab with a merchant, and scans the chain up to its tip. */
export async function startMerchantLab(): Promise<MerchantLab> {
  const [database, lab] = await Promise.all([freshDatabase(), startLab()])
  const { sql } = database
  await advanceChain(sql, lab.adapter)
  const merchant = await merchantWith(sql)
  return {
    sql,
    lab,
    merchant,
    async issue(user, kind) {
      const issued = await merchant.address('ethereum', user, kind)
      const address = `0x${issued.payee}` as const
      await sql`UPDATE addresses SET address = ${address} WHERE id = ${issued.id}`
      return { ...issued, address }
    },
    async mineAndCredit(blocks) {
      const networks = new Map([['ethereum', lab.network]])
      await lab.anvil.mine(blocks)
      await advanceChain(sql, lab.adapter)
      const rows = await sql<{ id: string }[]>`SELECT id FROM deposits WHERE status = 'unconfirmed'`
      for (const { id } of rows) {
        const { kind } = await confirmDeposit(sql, networks, id)
        if (kind === 'confirmed') await creditDeposit(sql, networks, id)
      }
    },
    async exceptions(where) {
      const rows = await sql<{ data: Record<string, unknown> }[]>`
        SELECT data FROM events
        WHERE type = 'exception.raised'
          AND ${'subject' in where ? sql`subject = ${where.subject}` : sql`data ->> 'network' = ${where.network}`}
        ORDER BY position`
      return rows.map((row) => row.data)
    },
    async close() {
      await lab.stop()
      await database.drop()
    },
  }
}
