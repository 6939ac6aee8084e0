/** Checks that every mined deposit lies in a block of the scanned chain. */

import { MINED_DEPOSITS } from '../../../../domain/deposits/deposit-sets.js'
import { members } from '../../../members.js'
import { type BooksCheck, eachPage, PAGE, type Page } from './check.js'

interface Astray {
  readonly id: string
  readonly network: string
  readonly coin: string
  readonly block_hash: string | null
  readonly hash: string
}

/** Old blocks are pruned. A deposit in one of them is too deep for the chain to take it back. */
export const blocks: BooksCheck = {
  name: 'blocks',
  examine: (tx, { merchantId }, findings) =>
    eachPage(
      '',
      (after) => tx<Page<string, Astray>[]>`
        WITH page AS MATERIALIZED (
          SELECT id, network, coin, block_number, block_hash, status IN ${members(tx, MINED_DEPOSITS)} AS mined
          FROM deposits WHERE merchant_id = ${merchantId} AND id > ${after} ORDER BY id LIMIT ${PAGE}
        ), astray AS (
          SELECT page.id, page.network, page.coin, page.block_hash, block.hash
          FROM page JOIN chain_blocks block ON block.network = page.network AND block.height = page.block_number
          WHERE page.mined AND page.block_hash IS DISTINCT FROM block.hash
        )
        SELECT (SELECT count(*)::integer FROM page) AS rows, (SELECT max(id) FROM page) AS last,
               (SELECT coalesce(jsonb_agg(astray ORDER BY id), '[]') FROM astray) AS found`,
      ({ id, network, coin, block_hash, hash }) =>
        findings.differ({
          subject: { type: 'deposit', id },
          field: 'block_hash',
          network,
          coin,
          expected: hash,
          actual: block_hash,
          reason: 'The deposit lies in a block that the scanned chain does not have',
        }),
    ),
}
