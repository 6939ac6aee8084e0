/** Finds and starts Temporal's development server, with its web UI, as a process of its own. */

import { Connection } from '@temporalio/client'
import { SEARCH_ATTRIBUTE } from '../../temporal/search-attributes.js'
import { findExecutable, type Say } from './find-executable.js'
import { type RunningProcess, startProcess, untilReady } from './start-process.js'

const VERSION = 'v1.5.1'

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
  const os = process.platform === 'darwin' ? 'darwin' : 'linux'
  const cpu = process.arch === 'arm64' ? 'arm64' : 'amd64'
  return findExecutable(
    {
      title: 'Temporal',
      variable: 'KEYTURN_TEMPORAL_BIN',
      executable: 'temporal',
      archive: `https://temporal.download/cli/archive/${VERSION}?platform=${os}&arch=${cpu}`,
      goPackage: `github.com/temporalio/cli/cmd/temporal@${VERSION}`,
      buildTakes: 'about 4 minutes on 2 cores',
    },
    say,
  )
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
