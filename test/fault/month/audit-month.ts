/** Verifies a closed month as a stranger would: by exports, the nodes, and the program `npm run audit`. */

import { execFile } from 'node:child_process'
import { createWriteStream, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import type { Shop } from './open-shop.js'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
/** Output of the program at most. It has a line for each fault. */
const MOST_OUTPUT = 64 * 1_024 * 1_024

/** What the program said. */
export interface AuditOutcome {
  readonly exitCode: number
  /** Each as `check: what`. */
  readonly faults: readonly string[]
}

const output = z.object({
  verdicts: z.array(
    z.object({ check: z.string(), kind: z.string(), what: z.string(), note: z.boolean().optional() }),
  ),
})

/** Exports the month into a new directory, the ledger last. @returns The directory. */
export async function exportMonth({ client }: Shop, period: string): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'keyturn-month-'))
  const { items: networks } = await client.networks.list()
  writeFileSync(join(directory, 'networks.json'), JSON.stringify(networks))
  writeFileSync(join(directory, 'period.json'), JSON.stringify(await client.periods.get(period)))
  for (const dataset of ['audit', 'events', 'addresses', 'ledger'] as const) {
    const { body } = await client.exports.stream(dataset, { format: 'ndjson' })
    await pipeline(Readable.fromWeb(body as never), createWriteStream(join(directory, `${dataset}.ndjson`)))
  }
  return directory
}

/** Runs the program on the exports and the nodes. */
export async function auditMonth(shop: Shop, period: string, directory: string): Promise<AuditOutcome> {
  const { ethereum } = shop.facts.networks
  const nodes = [`ethereum=${ethereum.rpc}`, `bitcoin=${shop.bitcoinRpc}`]
  const args = ['run', '--silent', 'audit', '--', '--period', period, '--export', directory, '--json']
  const { exitCode, stdout, stderr } = await run([...args, ...nodes.flatMap((node) => ['--rpc', node])])
  if (!stdout.startsWith('{')) throw new Error(`The audit ended with ${exitCode}: ${stdout}${stderr}`)
  const { verdicts } = output.parse(JSON.parse(stdout))
  // A note says what was not asked for: the signatures of approvals, whose keys are not given.
  const faults = verdicts.filter(({ kind, note }) => kind !== 'holds' && !note)
  return { exitCode, faults: faults.map(({ check, what }) => `${check}: ${what}`) }
}

function run(args: readonly string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile('npm', [...args], { cwd: ROOT, maxBuffer: MOST_OUTPUT }, (error, stdout, stderr) =>
      resolve({ exitCode: error ? Number(error.code ?? -1) : 0, stdout, stderr }),
    )
  })
}

/** Returns the lines of an exported dataset. */
export function readExported(directory: string, dataset: 'audit' | 'ledger'): Record<string, unknown>[] {
  return readFileSync(join(directory, `${dataset}.ndjson`), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

/** Changes the amount of one exported entry by its smallest digit. @param sequence - Number of the entry, from 1. */
export function alterEntry(directory: string, sequence: number): void {
  const entries = readExported(directory, 'ledger').map((entry) =>
    Number(entry.sequence) === sequence ? { ...entry, amount: anotherAmount(String(entry.amount)) } : entry,
  )
  writeFileSync(
    join(directory, 'ledger.ndjson'),
    entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''),
  )
}

/** Returns an amount with another last digit. */
function anotherAmount(amount: string): string {
  return amount.slice(0, -1) + String((Number(amount.slice(-1)) + 1) % 10)
}
