/** Reads the options that the commands share. */

import { parseArgs } from 'node:util'
import { Failure } from './failure.js'

/** Parsed options. `id` is empty when a command takes none. */
export interface Options {
  readonly id: string
  readonly yes: boolean
  readonly json: boolean
  readonly hash: string | undefined
  readonly reason: string | undefined
  readonly credentials: string | undefined
  readonly out: string | undefined
}

/**
 * Reads options strictly.
 *
 * @param takesId - Whether exactly one ID must follow.
 * @throws Failure that names what is wrong.
 */
export function readOptions(args: readonly string[], takesId: boolean): Options {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        yes: { type: 'boolean' },
        json: { type: 'boolean' },
        hash: { type: 'string' },
        reason: { type: 'string' },
        credentials: { type: 'string' },
        out: { type: 'string' },
      },
    })
    if (positionals.length !== (takesId ? 1 : 0))
      throw new Error(takesId ? 'Give one ID' : 'This command takes no ID')
    return {
      id: positionals[0] ?? '',
      yes: values.yes ?? false,
      json: values.json ?? false,
      hash: values.hash,
      reason: values.reason,
      credentials: values.credentials ?? process.env.KEYTURN_APPROVER_CREDENTIALS,
      out: values.out,
    }
  } catch (error) {
    throw new Failure(
      `${error instanceof Error ? error.message : 'The options are wrong'}; see keyturn-approve --help`,
    )
  }
}
