/** The program `npm run audit`: verifies a closed period from its exports and from nodes, without the platform. */

import { parseArgs } from 'node:util'
import type { Verdict } from './findings.js'
import { FILES, runAudit } from './run-audit.js'
import { UnusableExport } from './unusable-export.js'

const HELP = `Verifies a closed period without the platform: from its exports, and from a node of each network.

usage: npm run audit -- --period 2026-11 [options]

  --period MONTH           the month that was closed
  --export DIRECTORY       directory of the exports (default: .)
  --rpc NETWORK=URL        node of a network; once for each network of the proof
  --from-block NETWORK=N   first block that can pay one of the addresses, on Bitcoin and relatives (default: 1)
  --approvers FILE         keys of the approvers, whose signatures are then verified: JSON such as
                           {"approvers": [{"approver_id": "apr_…", "person_id": "per_…", "public_key": "base64"}]}
                           with raw Ed25519 keys. The policy.json of a signer is such a file.
  --without-chain          checks the exports alone
  --json                   prints the verdicts as JSON
  --help                   prints this

The directory holds, each taken with a key of scope "read", the ledger last:
${Object.entries(FILES)
  .map(([file, request]) => `  ${file.padEnd(18)} ${request}`)
  .join('\n')}

Exit codes: 0 all holds; 1 something is wrong, and is named; 2 the command or a file cannot be used;
3 nothing is wrong, but something could not be checked.`

const MARK: Readonly<Record<Verdict['kind'], string>> = { holds: 'ok   ', fault: 'WRONG', unchecked: '?    ' }

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      period: { type: 'string' },
      export: { type: 'string', default: '.' },
      rpc: { type: 'string', multiple: true, default: [] },
      'from-block': { type: 'string', multiple: true, default: [] },
      approvers: { type: 'string' },
      'without-chain': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(HELP)
    return 0
  }
  if (values.period === undefined) throw new UnusableExport('Say which month: --period 2026-11')
  const findings = await runAudit({
    period: values.period,
    directory: values.export,
    nodes: pairs('--rpc', values.rpc),
    fromBlocks: new Map(
      [...pairs('--from-block', values['from-block'])].map(([name, at]) => [name, toHeight(at)]),
    ),
    ...(values.approvers === undefined ? {} : { approvers: values.approvers }),
    withoutChain: values['without-chain'],
    say: (progress) => console.error(progress),
  })
  if (values.json)
    console.log(JSON.stringify({ exit_code: findings.exitCode(), verdicts: findings.verdicts }))
  else for (const { check, kind, what } of findings.verdicts) console.log(`${MARK[kind]} ${check}: ${what}`)
  return findings.exitCode()
}

/** Reads options such as `bitcoin=http://…`. */
function pairs(option: string, texts: readonly string[]): Map<string, string> {
  return new Map(
    texts.map((text) => {
      const at = text.indexOf('=')
      if (at < 1) throw new UnusableExport(`${option} takes NETWORK=VALUE`)
      return [text.slice(0, at), text.slice(at + 1)]
    }),
  )
}

function toHeight(text: string): number {
  if (/^\d{1,12}$/.test(text)) return Number(text)
  throw new UnusableExport(`--from-block takes a height, and not ${text}`)
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  const usable =
    error instanceof UnusableExport || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS')
  console.error(usable ? `${(error as Error).message}\nSee --help.` : error)
  process.exitCode = 2
}
