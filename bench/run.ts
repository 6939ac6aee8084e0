/** `npm run bench`: every figure beside its reference, in one run; a table for people and JSON for the rest. */

import { mkdir, writeFile } from 'node:fs/promises'
import { arch, cpus, platform } from 'node:os'
import { benchApi } from './api.js'
import { benchBlockScan } from './block-scan.js'
import { openContext } from './context.js'
import { benchJournals } from './journals.js'
import type { Measurement } from './measurement.js'
import { benchSigner } from './signer.js'

const BENCHES = {
  journals: benchJournals,
  'block-scan': benchBlockScan,
  api: benchApi,
  signer: benchSigner,
} as const

const HELP = `Usage: npm run bench -- [name …]

Measures Keyturn against a reference in the same run. Names: ${Object.keys(BENCHES).join(', ')} (default: all).
The table goes to standard output, JSON to bench/results/latest.json.`

async function main(): Promise<void> {
  const names = process.argv.slice(2)
  if (names.includes('--help')) {
    console.log(HELP)
    return
  }
  const unknown = names.filter((name) => !(name in BENCHES))
  if (unknown.length > 0) throw new Error(`Unknown bench: ${unknown.join(', ')}\n${HELP}`)
  const context = await openContext()
  const measurements: Measurement[] = []
  try {
    for (const [name, bench] of Object.entries(BENCHES)) {
      if (names.length > 0 && !names.includes(name)) continue
      context.progress(`… ${name}`)
      measurements.push(...(await bench(context)))
    }
  } finally {
    await context.close()
  }
  console.log(table(measurements))
  await mkdir(new URL('./results/', import.meta.url), { recursive: true })
  await writeFile(
    new URL('./results/latest.json', import.meta.url),
    `${JSON.stringify({ at: new Date().toISOString(), node: process.version, cpus: cpus().length, platform: `${platform()}-${arch()}`, measurements }, null, 2)}\n`,
  )
}

function table(measurements: readonly Measurement[]): string {
  const rows = [
    ['what', 'ours', 'against', 'reference', 'ratio', 'expected', ''],
    ...measurements.map((each) => [
      each.name,
      `${figure(each.ours)} ${each.unit}`,
      each.against,
      `${figure(each.reference)} ${each.unit}`,
      each.ratio.toFixed(2),
      each.expected === null ? '–' : each.expected.toFixed(2),
      `${each.expected === null ? '' : each.ratio >= each.expected ? 'ok' : 'SHORT'}${each.note ? ` (${each.note})` : ''}`,
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

await main()
