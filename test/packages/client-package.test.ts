/** The package `@keyturn/client` as a merchant gets it: packed, installed into an empty folder, and used. */

import { execFile, execFileSync, spawnSync } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type OfflineRegistry, startOfflineRegistry } from './offline-registry.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const CLIENT = join(ROOT, 'client')
const directory = mkdtempSync(join(tmpdir(), 'keyturn-package-'))
const project = join(directory, 'project')
const installed = join(project, 'node_modules/@keyturn/client')
/** The compiler and npm take long where other tests run beside them. */
const SLOW_MS = 300_000

let registry: OfflineRegistry

beforeAll(async () => {
  const tarballs = join(directory, 'tarballs')
  mkdirSync(tarballs)
  mkdirSync(project)
  registry = await startOfflineRegistry(CLIENT, tarballs)
  const packed =
    npm(CLIENT, 'pack', '--silent', '--pack-destination', directory).trim().split('\n').at(-1) ?? ''
  writeFileSync(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  await installInto(project, join(directory, packed))
  copyFileSync(join(ROOT, 'test/packages/merchant/program.ts'), join(project, 'program.ts'))
}, SLOW_MS)

afterAll(() => {
  registry?.close()
  rmSync(directory, { recursive: true, force: true })
})

test('installs with its own list of dependencies, and gives JavaScript, types, licence and README', () => {
  expect(readdirSync(installed).sort()).toEqual(['LICENSE', 'README.md', 'dist', 'package.json'])
})

test(
  'type-checks and runs in a strict TypeScript project',
  () => {
    compile(['program.ts'], {})
    expect(node('program.js')).toBe('done\n')
  },
  SLOW_MS,
)

test(
  'type-checks with the module resolution of bundlers',
  () => {
    compile(['program.ts'], { module: 'ESNext', moduleResolution: 'bundler', noEmit: true })
  },
  SLOW_MS,
)

test(
  'compiles the TypeScript that its README shows',
  () => {
    const blocks = [...readFileSync(join(installed, 'README.md'), 'utf8').matchAll(/^```ts\n(.*?)^```$/gms)]
    const files = blocks.map(([, code = ''], index) => {
      const name = code.includes('export const shop') ? 'shop.ts' : `readme-${index}.ts`
      writeFileSync(join(project, name), code)
      return name
    })
    expect(files).toContain('shop.ts')
    expect(files.length).toBeGreaterThan(5)
    symlinkSync(join(ROOT, 'node_modules/hono'), join(project, 'node_modules/hono'))
    // The types of Hono need those of a browser, which a project on Node has not.
    compile(files, { noEmit: true, skipLibCheck: true })
  },
  SLOW_MS,
)

test('verifies webhooks in plain JavaScript without any other package', () => {
  const alone = join(directory, 'alone')
  cpSync(join(project, 'node_modules/@keyturn'), join(alone, 'node_modules/@keyturn'), { recursive: true })
  writeFileSync(
    join(alone, 'receiver.mjs'),
    `import { verifyWebhook, WebhookVerificationError } from '@keyturn/client/verify-webhook'
    try {
      verifyWebhook({}, Buffer.from('{}'), 'whsec_' + Buffer.alloc(32).toString('base64'))
    } catch (error) {
      console.log(error instanceof WebhookVerificationError)
    }`,
  )
  expect(node(join(alone, 'receiver.mjs'))).toBe('true\n')
})

test('has one class of each error, whichever entry it comes from', () => {
  const program = `import * as all from '@keyturn/client'
    import * as one from '@keyturn/client/verify-webhook'
    console.log(all.WebhookVerificationError === one.WebhookVerificationError)`
  writeFileSync(join(project, 'same.js'), program)
  expect(node('same.js')).toBe('true\n')
})

test('brings the verifier of audit logs as a command', () => {
  writeFileSync(join(project, 'audit.ndjson'), '')
  const command = join(project, 'node_modules/.bin/keyturn-verify-audit-log')
  const output = execFileSync(command, ['audit.ndjson'], { cwd: project, encoding: 'utf8' })
  expect(JSON.parse(output)).toMatchObject({ valid: true, entries: 0 })
})

test('leaves out the command line of approvers', () => {
  const files = readdirSync(join(installed, 'dist'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
  expect(files.length).toBeGreaterThan(5)
  for (const file of files) {
    expect(readFileSync(file, 'utf8'), file).not.toMatch(/keyturn-approve|from ["']zod["']/)
  }
})

test('has the licence of the repository', () => {
  expect(readFileSync(join(CLIENT, 'LICENSE'))).toEqual(readFileSync(join(ROOT, 'LICENSE')))
})

/** Runs npm without the settings of an npm around this test. */
function npm(cwd: string, ...args: readonly string[]): string {
  return execFileSync('npm', args, {
    cwd,
    encoding: 'utf8',
    env: environment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** Installs without blocking this process, which answers as the registry. */
async function installInto(folder: string, tarball: string): Promise<void> {
  await promisify(execFile)(
    'npm',
    [
      'install',
      '--no-audit',
      '--no-fund',
      '--cache',
      join(directory, 'cache'),
      '--registry',
      registry.url,
      tarball,
    ],
    { cwd: folder, env: environment() },
  )
}

function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)))
}

/** Compiles files of the project as a strict project does, the declarations of packages included. */
function compile(files: readonly string[], more: Readonly<Record<string, unknown>>): void {
  const compilerOptions = {
    target: 'ES2022',
    lib: ['ES2022'],
    module: 'NodeNext',
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    types: ['node'],
    typeRoots: [join(ROOT, 'node_modules/@types')],
    ...more,
  }
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
  node(join(ROOT, 'node_modules/typescript/bin/tsc'), '--project', project)
}

/** Runs Node in the project, with what it printed in the error when it fails. */
function node(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: project, encoding: 'utf8' })
  if (status !== 0) throw new Error(`node ${args.join(' ')} failed:\n${stdout}${stderr}`)
  return stdout
}
