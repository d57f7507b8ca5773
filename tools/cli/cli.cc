int aim_cli_placeholder();
