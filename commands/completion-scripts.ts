/**
 * The completion scripts. Each hands the words of the command line to `obelisk complete SHELL -- WORD ...` and takes what comes back
 * (complete.ts): lines of a value, a tab and a description, or the line `:files` where names of files are wanted.
 *
 * The words are passed as they are and never evaluated again, and what comes back is never expanded: a group may have any name, and
 * the name of a group that somebody else made must not run as a command here. None needs another package (bash-completion).
 */

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: `# bash completion for obelisk
_obelisk() {
  local line files=
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == :files ]]; then files=1; else COMPREPLY+=("\${line%%$'\\t'*}"); fi
  done < <(command obelisk complete bash -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  [[ -n $files ]] || compopt +o default 2>/dev/null
}
complete -o default -F _obelisk obelisk
`,
  zsh: `#compdef obelisk
# zsh completion for obelisk
_obelisk() {
  local line files
  local -a described
  while IFS= read -r line; do
    if [[ $line == :files ]]; then files=1; continue; fi
    described+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done < <(command obelisk complete zsh -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  if [[ -n $files ]]; then _files; else _describe obelisk described; fi
}
if [[ $funcstack[1] == _obelisk ]]; then _obelisk "$@"; else compdef _obelisk obelisk; fi
`,
  fish: `# fish completion for obelisk
function __obelisk_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  for line in (command obelisk complete fish -- $words[2..-1] "$current" 2>/dev/null)
    if test "$line" = :files
      __fish_complete_path "$current"
    else
      echo $line
    end
  end
end
complete -c obelisk -f -a '(__obelisk_complete)'
`,
};

export function scriptOf(shell: Shell): string {
  return SCRIPTS[shell];
}
