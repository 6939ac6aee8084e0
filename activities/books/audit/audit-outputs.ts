/** Compares outputs and addresses of a chain of the Bitcoin family with the books. */

import { AuditFailure } from '../../../auditor/audit-failure.js'
import { openChain } from '../../../auditor/utxo/open-chain.js'
import { readSnapshot } from '../../../db/auditor/books-at.js'
import { compareAddresses } from '../../../db/auditor/compare-addresses.js'
import { compareOutputs, type OutputDifference } from '../../../db/auditor/compare-outputs.js'
import { coversBlock } from '../../../db/auditor/covers-block.js'
import { missedCause } from '../../../db/chain/missed-cause.js'
import type { Transaction } from '../../../db/connect.js'
import { chainCheck, type DifferenceAbout } from '../../../domain/books/difference.js'
import { nativeCoin, type UtxoNetwork } from '../../../domain/chain/network.js'
import { formatAmount } from '../../../domain/money.js'
import type { ChainAuditTask } from './audit-task.js'
import { describeInFlight } from './describe-in-flight.js'
import { walkOutputs } from './walk-outputs.js'

/** Walks of a run, when others take the record back meanwhile. */
const WALKS = 5

/** Compares everything at the block of the task. @returns The number of outputs and addresses that were compared. */
export async function auditOutputs(network: UtxoNetwork, task: ChainAuditTask): Promise<number | 'paused'> {
  const { sql, block } = task
  const options = task.signal ? { signal: task.signal } : {}
  const chain = await openChain(network, block, options)
  for (let left = WALKS; left > 0; left--) {
    if ((await walkOutputs(sql, network, chain, block, task)) === 'paused') return 'paused'
    const examined = await readSnapshot(sql, async (tx) =>
      // Another run may have taken the record back since, to the chain of its own node.
      (await coversBlock(tx, network.name, block)) ? compare(tx, network, task) : null,
    )
    if (examined === null) continue
    await describeInFlight(task)
    return examined
  }
  throw new AuditFailure(
    'NODE_ON_ANOTHER_BRANCH',
    `The nodes of ${network.name} do not agree on the chain up to block ${block.height}`,
  )
}

/** Compares in the snapshot of `tx`, which holds the record up to the block. @returns As `auditOutputs`. */
async function compare(
  tx: Transaction,
  network: UtxoNetwork,
  { merchantId, block, findings }: ChainAuditTask,
): Promise<number> {
  const coin = nativeCoin(network)
  const shown = (units: bigint | null) => (units === null ? null : formatAmount(units, coin.decimals))
  const books = { merchantId, network: network.name, height: block.height }
  const outputs = await compareOutputs(tx, books, (page) => {
    for (const each of page) {
      const difference = {
        subject: { type: 'address', id: each.addressId },
        address: each.address,
        outpoint: `${each.txid}:${each.vout}`,
        network: network.name,
        coin: coin.name,
        expected: shown(each.onChain),
        actual: shown(each.inBooks),
        reason: reasonOf(each, coin.minimum ?? 0n),
      }
      if (isCounted(each, coin.minimum ?? 0n)) findings.expect(difference)
      else findings.differ(difference, aboutOf(network.name, each, difference.outpoint))
    }
  })
  const addresses = await compareAddresses(tx, books, coin.name, (page) => {
    for (const each of page) {
      findings.differ({
        subject: { type: 'address', id: each.addressId },
        address: each.address,
        account: `chain:${each.addressId}`,
        network: network.name,
        coin: each.coin,
        expected: shown(each.onChain),
        actual: shown(each.inBooks),
        reason: 'The ledger says something else than the outputs of the address add up to',
      })
    }
  })
  return outputs + addresses
}

/** Whether an output is below the network's minimum, so that the books count it and hold no output. */
function isCounted({ onChain, inBooks, small }: OutputDifference, minimum: bigint): boolean {
  return inBooks === null && onChain !== null && onChain < minimum && onChain <= small
}

/** Returns the exception of an output that differs. One that the books miss may be credited by a rescan. */
function aboutOf(
  network: string,
  { addressId, inBooks }: OutputDifference,
  outpoint: string,
): DifferenceAbout {
  if (inBooks === null) return { kind: 'unattributed', cause: missedCause(network, outpoint) }
  return { kind: 'drift', cause: `drift:${chainCheck(network)}:address:${addressId}:${outpoint}` }
}

function reasonOf(each: OutputDifference, minimum: bigint): string {
  if (isCounted(each, minimum)) return 'The transfer is below the network’s minimum, so it is only counted'
  if (each.onChain === null) {
    return each.spentIn === null
      ? 'The chain never made this output for an issued address'
      : `The chain spent this output in block ${each.spentIn}, and the books still hold it`
  }
  return each.inBooks === null
    ? `The chain holds this output since block ${each.madeIn}, and the books do not: a deposit is missing`
    : 'The books have another amount or address for this output'
}
