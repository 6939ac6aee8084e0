/** Creates a merchant with any number of watched addresses by SQL alone, without derivation. */

import { createHash, randomBytes } from 'node:crypto'
import type { Sql } from '../db/connect.js'
import { newId } from '../db/new-id.js'

export interface BenchMerchant {
  readonly id: string
  /**
   * Adds users 0 to `count - 1`, each with an address on the network. The payee of user n is `payeeOf(n)`.
   */
  watch(network: string, count: number): Promise<void>
}

/** Inserts a merchant and an enrolled signer. */
export async function createBenchMerchant(sql: Sql): Promise<BenchMerchant> {
  const id = newId('mer')
  const signer = newId('sig')
  await sql`INSERT INTO merchants (id, name) VALUES (${id}, 'Bench')`
  await sql`
    INSERT INTO signers (id, merchant_id, name, version, identity_public_key, master_fingerprint, journal_head)
    VALUES (${signer}, ${id}, 'bench', '0', ${randomBytes(32)}, '00000000', ${'0'.repeat(64)})`
  return {
    id,
    async watch(network, count) {
      const account = newId('acc')
      await sql`
        INSERT INTO key_accounts (id, merchant_id, signer_id, network, role, path, xpub)
        VALUES (${account}, ${id}, ${signer}, ${network}, 'deposit', 'm', ${randomBytes(40).toString('hex')})`
      await sql`
        INSERT INTO addresses (id, merchant_id, network, kind, user_reference, label, address, payee, match_key,
                               key_account_id, branch, index, derivation_path)
        SELECT 'addr_' || hex, ${id}, ${network}, 'deposit', 'user-' || number, 'label', 'bench-' || hex, decode(hex, 'hex'),
               ('x' || substr(hex, 1, 16))::bit(64)::bigint, ${account}, 0, number, 'm/0/' || number
        FROM (
          SELECT number, substr(encode(sha256(convert_to('bench ' || number, 'UTF8')), 'hex'), 1, 40) AS hex
          FROM generate_series(0, ${count - 1}) AS number
        ) AS made`
      await sql`VACUUM ANALYZE addresses`
    },
  }
}

/** Returns the payee of a user of a bench merchant: 20 bytes in hex. */
export function payeeOf(user: number): string {
  return createHash('sha256').update(`bench ${user}`).digest('hex').slice(0, 40)
}
