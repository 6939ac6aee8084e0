/** Runs an offline audit: reads the exports of a directory, checks them by themselves, and asks the nodes. */

import { access, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { checkApprovals, readApprovers } from './check-approvals.js'
import { checkChain, type ExportedAddress, type ExportedNetwork } from './check-chain.js'
import { checkLedger } from './check-ledger.js'
import { checkAuditLog, checkEvents } from './check-logs.js'
import { type ClosedPeriod, checkPeriod } from './check-period.js'
import { Findings } from './findings.js'
import { readLines } from './read-lines.js'
import { UnusableExport } from './unusable-export.js'

export interface AuditRequest {
  /** Month, such as `2026-11`. */
  readonly period: string
  /** Directory of the exports. */
  readonly directory: string
  /** URL of a node by network. */
  readonly nodes: ReadonlyMap<string, string>
  /** First block to read by network of the Bitcoin family. Default: 1. */
  readonly fromBlocks: ReadonlyMap<string, number>
  /** File with the keys of the approvers. Absent: their signatures are not verified. */
  readonly approvers?: string
  /** Whether the chains are left out. */
  readonly withoutChain: boolean
  readonly say?: (progress: string) => void
}

/** Files that the directory has, and the requests that give them. */
export const FILES = {
  'period.json': 'GET /periods/{period}',
  'networks.json': 'GET /networks',
  'ledger.ndjson': 'GET /exports/ledger?format=ndjson',
  'audit.ndjson': 'GET /exports/audit?format=ndjson',
  'events.ndjson': 'GET /exports/events?format=ndjson',
  'addresses.ndjson': 'GET /exports/addresses?format=ndjson',
} as const

/** Blocks between two lines of progress. */
const SAY_EVERY = 1_000

/** Runs all checks. @throws UnusableExport. */
export async function runAudit(request: AuditRequest): Promise<Findings> {
  const { directory } = request
  const approvers = request.approvers === undefined ? null : await readApprovers(request.approvers)
  const findings = new Findings()
  const file = (name: keyof typeof FILES) => join(directory, name)
  const period = (await readAnswer(file('period.json'))) as unknown as ClosedPeriod
  if (period.period !== request.period)
    throw new UnusableExport(`period.json is of ${String(period.period)}, and not of ${request.period}`)
  const ledger = await checkLedger(await existing(file('ledger.ndjson')), period.to, findings)
  const whole = findings.faults('ledger') === 0
  checkPeriod(period, whole ? ledger.accounts : null, findings)
  await checkAuditLog(await existing(file('audit.ndjson')), period, findings)
  await checkApprovals(file('audit.ndjson'), period, approvers, findings)
  await checkEvents(
    await existing(file('events.ndjson')),
    period.to,
    whole ? ledger.credited : null,
    findings,
  )
  if (request.withoutChain) {
    findings.unchecked('chains', 'they were left out by --without-chain')
    return findings
  }
  if (!whole) {
    findings.unchecked('chains', 'they were not compared, because the ledger has faults')
    return findings
  }
  const networks = (await readAnswer(file('networks.json'))) as unknown as readonly ExportedNetwork[]
  const addresses = await readAddresses(await existing(file('addresses.ndjson')))
  for (const proof of period.proof) {
    const check = `chain ${proof.network}`
    const network = networks.find((each) => each.network === proof.network)
    const url = request.nodes.get(proof.network)
    if (!network || url === undefined) {
      const lacks = network
        ? `give its node with --rpc ${proof.network}=URL`
        : 'networks.json does not have it'
      findings.unchecked(check, lacks)
      continue
    }
    const { say } = request
    await checkChain(
      {
        proof,
        network,
        url,
        addresses: addresses.filter((address) => address.network === proof.network),
        accounts: ledger.accounts,
        end: period.to,
        fromBlock: request.fromBlocks.get(proof.network) ?? 1,
        ...(say && {
          onProgress: (height) => {
            if (height % SAY_EVERY === 0) say(`${proof.network}: block ${height} of ${proof.block_number}`)
          },
        }),
      },
      findings,
    )
  }
  return findings
}

/** Reads an answer of the API: its data, also where it was saved without the envelope. */
async function readAnswer(path: string): Promise<Record<string, unknown>> {
  const answer = JSON.parse(await readFile(await existing(path), 'utf8')) as Record<string, unknown>
  return 'success' in answer && 'data' in answer ? (answer.data as Record<string, unknown>) : answer
}

async function readAddresses(path: string): Promise<ExportedAddress[]> {
  const addresses: ExportedAddress[] = []
  for await (const { line, value } of readLines(path)) {
    if (!value) throw new UnusableExport(`addresses.ndjson: line ${line} is no address`)
    addresses.push(value as unknown as ExportedAddress)
  }
  return addresses
}

async function existing(path: string): Promise<string> {
  try {
    await access(path)
    return path
  } catch {
    const name = basename(path) as keyof typeof FILES
    throw new UnusableExport(`${path} is missing. It is the answer of ${FILES[name]}`)
  }
}
