/** Runs every bench, and prints a table for people and JSON for programs. */

import { mkdir, writeFile } from 'node:fs/promises'
import { arch, cpus, platform } from 'node:os'
import { benchApi } from './api.js'
import { benchAudit } from './audit.js'
import { benchBlackHoles } from './black-holes.js'
import { benchBlockScan } from './block-scan.js'
import { benchCheckJournals } from './check-journals.js'
import { benchCheckout } from './checkout.js'
import { benchClose } from './close.js'
import { benchCoinSelection } from './coin-selection.js'
import { type BenchContext, openContext } from './context.js'
import { benchDeliveries } from './deliveries.js'
import { benchDeposits } from './deposits.js'
import { benchEvmCatchUp } from './evm-catch-up.js'
import { benchExports } from './exports.js'
import { benchHistories } from './histories.js'
import { benchIsolation } from './isolation.js'
import { benchJournals } from './journals.js'
import { benchLists } from './lists.js'
import type { Measurement } from './measurement.js'
import { benchPayouts } from './payouts.js'
import { benchReconciliation } from './reconciliation.js'
import { benchSigner } from './signer.js'
import { benchSignerBudgets } from './signer-budgets.js'

const BENCHES: Readonly<Record<string, (context: BenchContext) => Promise<Measurement[]>>> = {
  deposits: benchDeposits,
  deliveries: benchDeliveries,
  isolation: benchIsolation,
  'black-holes': benchBlackHoles,
  'block-scan': benchBlockScan,
  'evm-catch-up': benchEvmCatchUp,
  journals: benchJournals,
  exports: benchExports,
  'check-journals': benchCheckJournals,
  close: benchClose,
  lists: benchLists,
  audit: benchAudit,
  reconciliation: benchReconciliation,
  api: benchApi,
  checkout: benchCheckout,
  signer: benchSigner,
  'signer-budgets': benchSignerBudgets,
  'coin-selection': benchCoinSelection,
  payouts: benchPayouts,
  histories: benchHistories,
}

const HELP = `Usage: npm run bench -- [name …]

Measures Keyturn against a reference in the same run. Names: ${Object.keys(BENCHES).join(', ')} (default: all).
The table goes to standard output, JSON to bench/results/latest.json. SHORT: less than expected.`

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** A bench that could not be carried out. The table and the JSON name it. */
interface Failure {
  readonly name: string
  readonly reason: string
}

async function main(): Promise<number> {
  const names = process.argv.slice(2)
  if (names.includes('--help')) {
    console.log(HELP)
    return 0
  }
  const unknown = names.filter((name) => !(name in BENCHES))
  if (unknown.length > 0) throw new Error(`Unknown bench: ${unknown.join(', ')}\n${HELP}`)
  const measurements: Measurement[] = []
  const failures: Failure[] = []
  for (const [name, bench] of Object.entries(BENCHES)) {
    if (names.length > 0 && !names.includes(name)) continue
    const began = Date.now()
    process.stderr.write(`… ${name}\n`)
    // Each bench has parts of its own, so that the remains of one do not slow down the next.
    const context = await openContext()
    const interruption = endWith(context)
    try {
      measurements.push(...(await bench(context)))
    } catch (error) {
      // A signal has stopped the parts of this bench, and the process is about to end.
      if (interruption.came()) return 130
      const reason = error instanceof Error ? error.message : String(error)
      failures.push({ name, reason })
      process.stderr.write(`  ${error instanceof Error ? error.stack : reason}\n`)
    } finally {
      await context.close()
      interruption.disarm()
    }
    process.stderr.write(`  ${Math.round((Date.now() - began) / 1_000)} s\n`)
  }
  console.log(table(measurements))
  for (const { name, reason } of failures) console.log(`${name}: NOT MEASURED: ${reason}`)
  await save(measurements, failures)
  return failures.length === 0 ? 0 : 1
}

/** Ends the parts and then this process at Ctrl-C. The watchdog does so when this process is killed. */
function endWith(context: { close(): Promise<void> }): { came(): boolean; disarm(): void } {
  let came = false
  const stop = (): void => {
    if (came) return
    came = true
    process.stderr.write('Stopping\n')
    const exit = () => process.exit(130)
    context.close().then(exit, exit)
  }
  for (const signal of SIGNALS) process.on(signal, stop)
  return {
    came: () => came,
    disarm() {
      for (const signal of SIGNALS) process.off(signal, stop)
    },
  }
}

async function save(measurements: readonly Measurement[], failures: readonly Failure[]): Promise<void> {
  const directory = new URL('./results/', import.meta.url)
  await mkdir(directory, { recursive: true })
  const result = {
    at: new Date().toISOString(),
    node: process.version,
    cpus: cpus().length,
    platform: `${platform()}-${arch()}`,
    measurements: measurements.map((each) => ({ ...each, verdict: verdict(each) })),
    failures,
  }
  await writeFile(new URL('latest.json', directory), `${JSON.stringify(result, null, 2)}\n`)
}

function verdict({ ratio, expected }: Measurement): 'ok' | 'SHORT' | null {
  if (expected === null || ratio === null) return null
  return ratio >= expected ? 'ok' : 'SHORT'
}

function table(measurements: readonly Measurement[]): string {
  const rows = [
    ['what', 'ours', 'against', 'reference', 'ratio', 'expected', ''],
    ...measurements.map((each) => [
      each.name,
      `${figure(each.ours)} ${each.unit}`,
      each.against ?? '–',
      each.reference === null ? '–' : `${figure(each.reference)} ${each.unit}`,
      each.ratio === null ? '–' : each.ratio.toFixed(2),
      each.expected === null ? '–' : each.expected.toFixed(2),
      `${verdict(each) ?? ''}${each.note ? ` (${each.note})` : ''}`,
    ]),
  ]
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function figure(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3)
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error)
    process.exit(1)
  },
)
