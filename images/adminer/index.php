<?php
// The page the server shows: Adminer, with the server's name filled in and nothing asked from outside.

function adminer_object()
{
    include_once '/usr/share/adminer/plugins/version-noverify.php';

    class LedgerFlowPlugins extends Adminer\Plugins
    {
        public function loginFormField(string $name, string $heading, string $value): string
        {
            $server = getenv('ADMINER_DEFAULT_SERVER');
            if ($name === 'server' && $server !== false) {
                $filled = 'value="' . htmlspecialchars($server, ENT_QUOTES) . '"';
                $value = str_replace('value=""', $filled, $value);
            }
            if ($name === 'driver' && !isset($_GET['server'])) {
                $value = str_replace([' selected', "value='pgsql'", 'value="pgsql"'],
                    ['', "value='pgsql' selected", 'value="pgsql" selected'], $value);
            }
            return $heading . $value . "\n";
        }
    }

    return new LedgerFlowPlugins([new AdminerVersionNoverify()]);
}

include '/usr/share/adminer/adminer.php';
