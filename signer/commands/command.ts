/** Defines a command of the executable, and reads its options. */

import { type ParseArgsConfig, parseArgs } from 'node:util'
import { visibleJson } from '../../domain/visible-text.js'
import { Failure } from '../failure.js'

/** A command of the executable with its help. */
export interface Command {
  readonly help: string
  /** Runs the command. @param args - Arguments after the command's name. */
  readonly run: (args: readonly string[]) => Promise<void>
}

/** Reads options strictly. @throws Failure that names the wrong option. */
export function readOptions<T extends NonNullable<ParseArgsConfig['options']>>(
  args: readonly string[],
  options: T,
): ReturnType<typeof parseArgs<{ options: T; strict: true; allowPositionals: false }>>['values'] {
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values
  } catch (error) {
    throw new Failure(`${error instanceof Error ? error.message : 'The options are wrong'}; see --help`)
  }
}

/** Returns the value of a required option. @throws Failure that names it when it is missing. */
export function requireOption(value: string | undefined, name: string): string {
  if (!value) throw new Failure(`--${name} is missing; see --help`)
  return value
}

/**
 * Returns the directory of the signer: `--home`, else `KEYTURN_SIGNER_HOME`.
 *
 * @throws Failure without either.
 */
export function homeOption(value: string | undefined): string {
  return requireOption(value ?? process.env.KEYTURN_SIGNER_HOME, 'home')
}

/** Writes JSON for people and programs to standard output. */
export function printJson(value: unknown): void {
  process.stdout.write(`${visibleJson(value, 2)}\n`)
}
