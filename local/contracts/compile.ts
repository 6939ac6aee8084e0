/** Compiles `TetherLike.sol` into `TetherLike.json`: `npx tsx local/contracts/compile.ts`. */

import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

const SOURCE = new URL('./TetherLike.sol', import.meta.url)
const ARTIFACT = new URL('./TetherLike.json', import.meta.url)

const output = z.object({
  errors: z.array(z.object({ severity: z.string(), formattedMessage: z.string() })).optional(),
  contracts: z.record(
    z.string(),
    z.record(
      z.string(),
      z.object({ abi: z.array(z.unknown()), evm: z.object({ bytecode: z.object({ object: z.string() }) }) }),
    ),
  ),
})

/** Compiles the token. @returns The text of the artifact: abi and bytecode as JSON. */
export function compileTetherLike(): string {
  const solc = createRequire(import.meta.url)('solc') as { compile(input: string): string }
  const compiled = output.parse(
    JSON.parse(
      solc.compile(
        JSON.stringify({
          language: 'Solidity',
          sources: { 'TetherLike.sol': { content: readFileSync(SOURCE, 'utf8') } },
          settings: {
            optimizer: { enabled: true, runs: 200 },
            evmVersion: 'shanghai',
            // Otherwise the bytecode would carry a hash of paths and comments.
            metadata: { bytecodeHash: 'none' },
            outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } },
          },
        }),
      ),
    ),
  )
  const errors = compiled.errors?.filter((each) => each.severity === 'error') ?? []
  const contract = compiled.contracts['TetherLike.sol']?.TetherLike
  if (errors.length > 0 || !contract) throw new Error(errors.map((each) => each.formattedMessage).join('\n'))
  return `${JSON.stringify({ abi: contract.abi, bytecode: `0x${contract.evm.bytecode.object}` }, null, 2)}\n`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(ARTIFACT, compileTetherLike())
